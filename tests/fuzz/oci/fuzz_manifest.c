/* What is accepted as a manifest or index is never both, and is written so that it reads the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const struct manifest *m)
{
	AUTO(manifest) again = {0};
	AUTO(strbuf) first = STRBUF_INIT;
	AUTO(strbuf) second = STRBUF_INIT;

	manifest_write(m, &first);
	if (manifest_parse(&again, first.buf, first.len, m->media_type, "again", NULL) < 0)
		abort();
	manifest_write(&again, &second);
	if (strcmp(first.buf, second.buf) != 0 || again.n_layers != m->n_layers)
		abort();
}

static void check_index(const struct image_index *i)
{
	AUTO(image_index) again = {0};
	AUTO(strbuf) first = STRBUF_INIT;
	AUTO(platform) host = {0};
	const struct descriptor *chosen;

	image_index_write(i, &first);
	if (image_index_parse(&again, first.buf, first.len, i->media_type, "again", NULL) < 0 ||
	    again.n_manifests != i->n_manifests)
		abort();
	platform_host(&host);
	if (image_index_choose(i, &host, &chosen, NULL) == 0 && chosen->artifact_type)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	AUTO(manifest) m = {0};
	AUTO(image_index) i = {0};
	int is_manifest = manifest_parse(&m, text, size, NULL, "input", NULL) == 0;
	int is_index = image_index_parse(&i, text, size, NULL, "input", NULL) == 0;

	if (is_manifest && is_index)
		abort();
	if (is_manifest)
		check_manifest(&m);
	if (is_index)
		check_index(&i);
	if ((is_manifest || is_index) && manifest_is_index(text, size, NULL) != (is_index != 0))
		abort();
	return 0;
}
