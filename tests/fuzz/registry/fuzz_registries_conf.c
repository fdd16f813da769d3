#include <stdint.h>
#include <stdlib.h>

#include "registry/mirrors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const NAMES[] = {"debian", "a.example.com/b/c:1", "localhost:5000/x"};
	AUTO_PTR(mirrors) m = mirrors_new();
	AUTO(error) err = ERROR_INIT;
	int rc = mirrors_parse(m, (const char *)data, size, "registries.conf", &err);

	if ((rc < 0) != (err.kind != ERROR_NONE))
		abort();
	for (size_t i = 0; rc == 0 && i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		AUTO(endpoints) list = {0};
		AUTO(image_ref) ref = {0};
		AUTO(error) refused = ERROR_INIT;

		if (image_ref_parse(&ref, NAMES[i], NULL) < 0)
			abort();
		mirrors_insecure(m, ref.host);
		/* The last place is the image's own; every place is one that can be asked. */
		if (mirrors_find(m, &ref, true, &list, &refused) == 0 &&
		    (list.n == 0 || list.items[list.n - 1].is_mirror))
			abort();
	}
	return 0;
}
