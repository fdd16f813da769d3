/* A config that was read, copied and written reads the same, byte for byte from the second writing on. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(image_config) c;
	AUTO(image_config) copy;
	AUTO(image_config) again;
	AUTO(strbuf) first = STRBUF_INIT;
	AUTO(strbuf) second = STRBUF_INIT;

	image_config_init(&c);
	image_config_init(&copy);
	image_config_init(&again);
	if (image_config_parse(&c, (const char *)data, size, "input", NULL) < 0)
		return 0;
	image_config_copy(&copy, &c);
	image_config_write(&copy, &first);
	if (image_config_parse(&again, first.buf, first.len, "again", NULL) < 0)
		abort();
	image_config_write(&again, &second);
	if (strcmp(first.buf, second.buf) != 0 || again.n_history != c.n_history ||
	    again.n_diff_ids != c.n_diff_ids)
		abort();
	return 0;
}
