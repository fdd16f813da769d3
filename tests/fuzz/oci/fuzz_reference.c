/* An accepted image name, written in full or as docker shows it, is accepted again and means the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct image_ref *r, const char *text)
{
	AUTO(image_ref) again = {0};

	if (image_ref_parse(&again, text, NULL) < 0 || !image_ref_equal(r, &again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO(image_ref) r = {0};
	AUTO(error) err = ERROR_INIT;

	if (image_ref_parse(&r, text, &err) < 0) {
		if (err.kind != ERROR_USAGE || !err.message)
			abort();
		return 0;
	}
	AUTO_FREE char *full = image_ref_full(&r);
	AUTO_FREE char *familiar = image_ref_familiar(&r);

	check_again(&r, full);
	check_again(&r, familiar);
	/* Nothing of it can leave a folder or forge a line. */
	if (strstr(r.path, "..") || strpbrk(full, " \n\r\t\\\"") ||
	    strlen(r.host) + strlen(r.path) > 254)
		abort();
	return 0;
}
