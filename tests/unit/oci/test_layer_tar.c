#include "oci/layer_writer.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/process.h"
#include "tests/unit/oci/memory_source.h"
#include "tests/unit/oci/tar_build.h"

static void write_entry(struct strbuf *out, const struct entry *e, const char *content)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(tar_writer) w = NULL;
	struct memory_source m = {.source.read = memory_source_read, .data = content};
	struct strbuf_sink sink;

	m.len = content ? strlen(content) : 0;
	strbuf_sink_init(&sink, out);
	assert_int_equal(tar_writer_open(&w, &sink.sink, &err), 0);
	if (tar_writer_add(w, e, content ? &m.source : NULL, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(tar_writer_finish(w, &err), 0);
}

#define TIME 1700000000

/* 20 bytes: VFS_CAP_REVISION_2 with the effective bit, and cap_net_bind_service (capability 10). */
static const uint8_t capability[20] = {1, 0, 0, 2, 0, 4};

static const struct xattr xattrs[] = {
	{"security.capability", capability, sizeof(capability)},
	{"user.note", "a\0b", 3},
};

/* Together more than 100 bytes: they share the name (100) and the prefix (155) of a ustar header. */
#define LONG_DIR "a-folder-whose-name-is-quite-long-indeed"
#define LONG_NAME \
	"another-folder-whose-name-is-quite-long-indeed/a-file-whose-name-is-quite-long-as-well"
/* 101 bytes without a "/": no split into prefix and name is possible. */
#define NAME_101                                                                           \
	"n1234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"012345678901234567890"

static const struct {
	struct entry entry;
	const char *content;
	struct tar_header header;
} rows[] = {
	{{.type = ENTRY_FILE, .path = "etc/motd", .mode = 0644, .size = 6, .mtime = TIME},
	 "hello\n",
	 {.name = "etc/motd", .mode = 0644, .size = 6, .mtime = TIME}},
	{{.type = ENTRY_FILE, .path = "empty", .mode = 0600, .mtime = TIME},
	 "",
	 {.name = "empty", .mode = 0600, .mtime = TIME}},
	{{.type = ENTRY_DIR, .path = "tmp", .mode = 01777, .uid = 1000, .gid = 50, .mtime = TIME},
	 NULL,
	 {.name = "tmp/", .type = '5', .mode = 01777, .uid = 1000, .gid = 50, .mtime = TIME}},
	{{.type = ENTRY_DIR, .path = "", .mode = 0755},
	 NULL,
	 {.name = "./", .type = '5', .mode = 0755}},
	{{.type = ENTRY_FILE, .path = "bin/su", .mode = 04755, .mtime = TIME},
	 "",
	 {.name = "bin/su", .mode = 04755, .mtime = TIME}},
	{{.type = ENTRY_SYMLINK, .path = "lib", .link = "usr/lib", .mode = 0777, .mtime = TIME},
	 NULL,
	 {.name = "lib", .link = "usr/lib", .type = '2', .mode = 0777, .mtime = TIME}},
	{{.type = ENTRY_HARDLINK, .path = "b", .link = "a", .mode = 0644, .mtime = TIME},
	 NULL,
	 {.name = "b", .link = "a", .type = '1', .mode = 0644, .mtime = TIME}},
	{{.type = ENTRY_CHAR,
	  .path = "dev/null",
	  .mode = 0666,
	  .mtime = TIME,
	  .dev_major = 1,
	  .dev_minor = 3},
	 NULL,
	 {.name = "dev/null", .type = '3', .mode = 0666, .mtime = TIME, .major = 1, .minor = 3}},
	{{.type = ENTRY_BLOCK,
	  .path = "dev/sda",
	  .mode = 0660,
	  .mtime = TIME,
	  .dev_major = 8,
	  .dev_minor = 0},
	 NULL,
	 {.name = "dev/sda", .type = '4', .mode = 0660, .mtime = TIME, .major = 8}},
	{{.type = ENTRY_FIFO, .path = "run/pipe", .mode = 0600, .mtime = TIME},
	 NULL,
	 {.name = "run/pipe", .type = '6', .mode = 0600, .mtime = TIME}},
	{{.type = ENTRY_WHITEOUT, .path = "usr/gone", .mode = 0644, .uid = 7, .mtime = TIME},
	 NULL,
	 {.name = "usr/.wh.gone"}},
	{{.type = ENTRY_WHITEOUT, .path = "gone"}, NULL, {.name = ".wh.gone"}},
	{{.type = ENTRY_OPAQUE, .path = "var/cache", .mode = 0755, .mtime = TIME},
	 NULL,
	 {.name = "var/cache/.wh..wh..opq"}},
	{{.type = ENTRY_OPAQUE, .path = ""}, NULL, {.name = ".wh..wh..opq"}},
	/* The biggest id of six octal digits needs no pax header. */
	{{.type = ENTRY_FILE, .path = "f", .uid = 262143, .gid = 262143},
	 "",
	 {.name = "f", .uid = 262143, .gid = 262143}},
	{{.type = ENTRY_FILE, .path = LONG_DIR "/" LONG_NAME, .mode = 0644, .mtime = TIME},
	 "",
	 {.name = LONG_NAME, .prefix = LONG_DIR, .mode = 0644, .mtime = TIME}},
};

static void test_ustar_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) got = STRBUF_INIT;
		AUTO(strbuf) want = STRBUF_INIT;

		write_entry(&got, &rows[i].entry, rows[i].content);
		tar_add(&want, rows[i].header);
		if (rows[i].content)
			tar_data(&want, rows[i].content, strlen(rows[i].content));
		tar_end(&want);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.buf, want.buf, want.len);
	}
}

/* The pax records of an entry (between the header of type x and the entry's own), sorted by libarchive's order. */
static void pax_records(struct strbuf *out, const struct strbuf *tar)
{
	assert_int_equal(tar->buf[156], 'x');
	assert_memory_equal(tar->buf, "PaxHeader/", 10);
	strbuf_add(out, tar->buf + TAR_BLOCK, (size_t)strtoull(tar->buf + 124, NULL, 8));
}

static const struct {
	struct entry entry;
	const char *key[3];
	const void *value[3];
	size_t len[3];
} pax_rows[] = {
	{{.type = ENTRY_FILE, .path = NAME_101, .mode = 0644, .mtime = TIME},
	 {"path"},
	 {NAME_101},
	 {101}},
	{{.type = ENTRY_FILE, .path = "caf\xc3\xa9", .mode = 0644, .mtime = TIME},
	 {"hdrcharset", "path"},
	 {"BINARY", "caf\xc3\xa9"},
	 {6, 5}},
	{{.type = ENTRY_FILE, .path = "caf\xe9\xff", .mode = 0644, .mtime = TIME},
	 {"hdrcharset", "path"},
	 {"BINARY", "caf\xe9\xff"},
	 {6, 5}},
	{{.type = ENTRY_SYMLINK, .path = "l", .link = "\xff\xfe", .mode = 0777, .mtime = TIME},
	 {"hdrcharset", "linkpath"},
	 {"BINARY", "\xff\xfe"},
	 {6, 2}},
	{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .uid = 262144, .gid = 3000000},
	 {"gid", "uid"},
	 {"3000000", "262144"},
	 {7, 6}},
	{{.type = ENTRY_FILE, .path = "f", .mode = 0755, .xattrs = xattrs, .n_xattrs = 2},
	 {"SCHILY.xattr.security.capability", "SCHILY.xattr.user.note"},
	 {capability, "a\0b"},
	 {20, 3}},
};

static void test_pax_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pax_rows); i++) {
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(strbuf) got = STRBUF_INIT;
		AUTO(strbuf) want = STRBUF_INIT;

		write_entry(&tar, &pax_rows[i].entry,
			    pax_rows[i].entry.type == ENTRY_FILE ? "" : NULL);
		pax_records(&got, &tar);
		for (size_t r = 0; r < 3 && pax_rows[i].key[r]; r++)
			tar_record(&want, pax_rows[i].key[r], pax_rows[i].value[r],
				   pax_rows[i].len[r]);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.buf, want.buf, want.len);
		assert_int_equal(tar.len, 5 * TAR_BLOCK);
	}
}

static void all_entries(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		write_entry(out, &rows[i].entry, rows[i].content);
	for (size_t i = 0; i < ARRAY_SIZE(pax_rows); i++)
		write_entry(out, &pax_rows[i].entry,
			    pax_rows[i].entry.type == ENTRY_FILE ? "" : NULL);
}

static void test_locale_does_not_count(void **state)
{
	static const char *const locales[] = {"C.UTF-8", "en_US.UTF-8", "de_DE.ISO-8859-1"};
	AUTO(strbuf) plain = STRBUF_INIT;

	(void)state;
	all_entries(&plain);
	for (size_t i = 0; i < ARRAY_SIZE(locales); i++) {
		AUTO(strbuf) other = STRBUF_INIT;

		/* C.UTF-8 is built into the C library; the others count where they are installed. */
		if (!setlocale(LC_ALL, locales[i]))
			assert_int_not_equal(i, 0);
		all_entries(&other);
		setlocale(LC_ALL, "C");
		assert_int_equal(plain.len, other.len);
		assert_memory_equal(plain.buf, other.buf, plain.len);
	}
}

/* Python's tarfile, a reader of another family, sees what went in. */
static void test_python_reads_it(void **state)
{
	static const char script[] =
		"import sys,io,tarfile\n"
		"t=tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()),encoding='utf-8',"
		"errors='surrogateescape')\n"
		"for m in t:\n"
		"  x=m.pax_headers.get('SCHILY.xattr.security.capability','')\n"
		"  print(m.name.encode('utf-8','surrogateescape'),m.type,oct(m.mode),m.uid,m.gid,"
		"m.size,m.mtime,m.linkname,repr(m.uname),repr(m.gname),len(x),"
		"t.extractfile(m).read() if m.isreg() else '')\n";
	static const char *const argv[] = {"python3", "-c", script, NULL};
	static const char want[] = "b'" NAME_101 "' b'0' 0o644 0 0 0 1700000000  '' '' 0 b''\n"
				   "b'cap' b'0' 0o755 3000000 0 3 1700000000  '' '' 20 b'abc'\n"
				   "b'caf\\xe9' b'2' 0o777 0 0 0 1700000000 usr/lib '' '' 0 \n";
	const struct entry entries[] = {
		{.type = ENTRY_FILE, .path = NAME_101, .mode = 0644, .mtime = TIME},
		{.type = ENTRY_FILE,
		 .path = "cap",
		 .mode = 0755,
		 .uid = 3000000,
		 .size = 3,
		 .mtime = TIME,
		 .xattrs = xattrs,
		 .n_xattrs = 1},
		{.type = ENTRY_SYMLINK,
		 .path = "caf\xe9",
		 .link = "usr/lib",
		 .mode = 0777,
		 .mtime = TIME},
	};
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) errout = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(tar_writer) w = NULL;
	struct strbuf_sink sink;
	struct process_options o = {.path = "python3"};
	int status = -1;

	(void)state;
	o.argv = (char *const *)(uintptr_t)argv;
	strbuf_sink_init(&sink, &tar);
	assert_int_equal(tar_writer_open(&w, &sink.sink, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		struct memory_source m = {.source.read = memory_source_read,
					  .data = "abc",
					  .len = (size_t)entries[i].size};

		assert_int_equal(tar_writer_add(w, &entries[i], &m.source, &err), 0);
	}
	assert_int_equal(tar_writer_finish(w, &err), 0);
	if (process_capture(&o, tar.buf, tar.len, &out, &errout, 60000, NULL, &status, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(errout.buf, "");
	assert_string_equal(out.buf, want);
}

static void test_file_that_shrinks(void **state)
{
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(tar_writer) w = NULL;
	struct memory_source m = {.source.read = memory_source_read, .data = "abc", .len = 3};
	const struct entry e = {.type = ENTRY_FILE, .path = "log", .size = 100000};
	struct strbuf_sink sink;

	(void)state;
	strbuf_sink_init(&sink, &tar);
	assert_int_equal(tar_writer_open(&w, &sink.sink, &err), 0);
	assert_int_equal(tar_writer_add(w, &e, &m.source, &err), -1);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.message, "log shrank while it was read"));
}

static int failing_write(struct sink *s, const void *data, size_t len, struct error *err)
{
	(void)s;
	(void)data;
	(void)len;
	return error_set(err, ERROR_DENIED, "no such luck");
}

static void test_error_of_the_sink_comes_back(void **state)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(tar_writer) w = NULL;
	struct sink sink = {.write = failing_write};
	const struct entry e = {.type = ENTRY_DIR, .path = "d", .mode = 0755};

	(void)state;
	assert_int_equal(tar_writer_open(&w, &sink, &err), 0);
	assert_int_equal(tar_writer_add(w, &e, NULL, &err), 0);
	assert_int_equal(tar_writer_finish(w, &err), -1);
	assert_int_equal(err.kind, ERROR_DENIED);
	assert_string_equal(err.message, "no such luck");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ustar_entries),
		cmocka_unit_test(test_pax_records),
		cmocka_unit_test(test_locale_does_not_count),
		cmocka_unit_test(test_python_reads_it),
		cmocka_unit_test(test_file_that_shrinks),
		cmocka_unit_test(test_error_of_the_sink_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
