/*
 * Compressed bytes of any kind, by both engines of gzip: what zlib takes, ISA-L must take too, with the same result,
 * however the bytes are cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "oci/compress.h"
#include "tests/unit/oci/memory_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int decompress(const uint8_t *data, size_t size, bool zlib, size_t step, struct strbuf *out)
{
	struct memory_source m = memory_source(data, size);
	static char buf[40000];
	struct decompressor *d;
	int64_t got;

	m.step = step;
	compress_force_zlib = zlib;
	if (decompressor_new(&d, &m.source, 1 << 20, NULL) < 0)
		return -1;
	while ((got = source_read(decompressor_source(d), buf, sizeof(buf), NULL)) > 0)
		strbuf_add(out, buf, (size_t)got);
	decompressor_free(d);
	return got < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(strbuf) zlib = STRBUF_INIT;
	AUTO(strbuf) whole = STRBUF_INIT;
	AUTO(strbuf) pieces = STRBUF_INIT;
	int by_zlib = decompress(data, size, true, 0, &zlib);
	int by_isal = decompress(data, size, false, 0, &whole);
	int in_pieces = decompress(data, size, false, 7, &pieces);

	if (by_isal != in_pieces || (by_zlib == 0 && by_isal < 0))
		abort();
	if (by_isal == 0 &&
	    (whole.len != pieces.len || memcmp(whole.buf, pieces.buf, whole.len) != 0))
		abort();
	if (by_zlib == 0 && (whole.len != zlib.len || memcmp(whole.buf, zlib.buf, zlib.len) != 0))
		abort();
	return 0;
}
