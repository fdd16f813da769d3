#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/sink.h"

static void bytes_flow_through(void **state)
{
	AUTO_FD int fd = memfd_create("sink", MFD_CLOEXEC);
	struct fd_sink file;
	AUTO(strbuf) buf = STRBUF_INIT;
	struct strbuf_sink text;
	struct hash_sink hash;
	char hex[SHA256_HEX_SIZE], back[4] = "";

	(void)state;
	fd_sink_init(&file, fd, "file");
	hash_sink_init(&hash, &file.sink);
	assert_ok(sink_write(&hash.sink, "ab", 2, err));
	assert_ok(sink_write(&hash.sink, "", 0, err));
	assert_ok(sink_write(&hash.sink, "c", 1, err));
	assert_ok(sink_close(&hash.sink, err));
	assert_int_equal(hash.bytes, 3);
	assert_int_equal(file.bytes, 3);
	sha256_final_hex(&hash.hash, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(pread(fd, back, 3, 0), 3);
	assert_string_equal(back, "abc");
	hash_sink_release(&hash);

	strbuf_sink_init(&text, &buf);
	assert_ok(sink_write(&text.sink, "xyz", 3, err));
	assert_ok(sink_close(&text.sink, err));
	assert_string_equal(buf.buf, "xyz");

	hash_sink_init(&hash, NULL);
	assert_ok(sink_write(&hash.sink, "dropped", 7, err));
	assert_ok(sink_close(&hash.sink, err));
	assert_int_equal(hash.bytes, 7);
	hash_sink_release(&hash);
}

static void the_first_error_lasts(void **state)
{
	AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct fd_sink file;
	struct hash_sink hash;

	(void)state;
	fd_sink_init(&file, full, "the disk");
	hash_sink_init(&hash, &file.sink);
	assert_error(sink_write(&hash.sink, "x", 1, err), ERROR_SYSTEM,
		     "write the disk: No space left on device");
	file.fd = -1; /* would be another error */
	{
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(sink_write(&hash.sink, "x", 1, &err), -1);
		assert_int_equal(err.number, ENOSPC);
		assert_string_equal(err.message, "cannot write more: an earlier write failed");
	}
	assert_error(sink_close(&hash.sink, err), ERROR_SYSTEM, "an earlier write failed");
	hash_sink_release(&hash);
	hash_sink_release(NULL);
}

static void a_limit_is_an_error(void **state)
{
	AUTO(strbuf) buf = STRBUF_LIMIT(3);
	struct strbuf_sink text;

	(void)state;
	strbuf_sink_init(&text, &buf);
	assert_ok(sink_write(&text.sink, "abc", 3, err));
	assert_error(sink_write(&text.sink, "d", 1, err), ERROR_CORRUPT, "3 bytes");
	assert_error(sink_write(&text.sink, "", 0, err), ERROR_CORRUPT, "earlier");
	assert_string_equal(buf.buf, "abc");
}

static void a_source_ends_with_zero(void **state)
{
	AUTO_FD int fd = memfd_create("source", MFD_CLOEXEC);
	struct fd_source source;
	char back[8] = "";

	(void)state;
	assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
	fd_source_init(&source, fd, "memory");
	assert_int_equal(source_read(&source.source, back, 2, NULL), 2);
	assert_int_equal(source_read(&source.source, back + 2, 5, NULL), 1);
	assert_int_equal(source_read(&source.source, back + 3, 5, NULL), 0);
	assert_string_equal(back, "abc");
	source.fd = -1;
	assert_error((int)source_read(&source.source, back, 1, err), ERROR_SYSTEM, "read memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_flow_through),
		cmocka_unit_test(the_first_error_lasts),
		cmocka_unit_test(a_limit_is_an_error),
		cmocka_unit_test(a_source_ends_with_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
