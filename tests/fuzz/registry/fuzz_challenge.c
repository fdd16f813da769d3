#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO(challenges) c = {0};

	challenges_parse(&c, text);
	for (size_t i = 0; i < c.n; i++) {
		if (!c.items[i].scheme || !*c.items[i].scheme)
			abort();
	}
	challenges_find(&c, "bearer");
	return 0;
}
