#include "oci/layer_reader.h"

#include <locale.h>
#include <stdlib.h>

#include "oci/layer_writer.h"
#include "tests/unit/oci/layer_list.h"
#include "tests/unit/oci/store_fixture.h"

static void make_kinds(struct strbuf *tar)
{
	tar_dir(tar, "./");
	tar_dir(tar, "./etc/");
	tar_file(tar, "./etc/motd", "hi");
	tar_link(tar, '2', "lib", "usr/lib");
	tar_link(tar, '1', "etc/issue", "./etc/motd");
	tar_add(tar, (struct tar_header){.name = "null", .type = '3', .major = 1, .minor = 3});
	tar_add(tar, (struct tar_header){.name = "sda", .type = '4', .major = 8});
	tar_add(tar, (struct tar_header){.name = "pipe", .type = '6'});
	tar_add(tar, (struct tar_header){.name = "old", .type = '7'});
}
static const char kinds[] = "d \nd etc\nf etc/motd =hi\nl lib -> usr/lib\nh etc/issue -> etc/motd\n"
			    "c null 1:3\nb sda 8:0\np pipe\nf old =\n";

static void make_names(struct strbuf *tar)
{
	tar_file(tar, "/abs/x", "");
	tar_file(tar, "././a//b/./c", "");
	tar_file(tar, "///x", "");
	tar_dir(tar, "d/.");
	tar_file(tar, "...", "");
	tar_file(tar, "a/..b", "");
	tar_file(tar, "new\nline", "");
}
static const char names[] = "f abs/x =\nf a/b/c =\nf x =\nd d\nf ... =\nf a/..b =\nf new\nline =\n";

static void make_bytes(struct strbuf *tar)
{
	tar_file(tar, "caf\xe9", "");
	pax_path(tar, "path", "caf\xc3\xa9", 5);
	tar_file(tar, "x", "");
	pax_path(tar, "path", "e\xcc\x81 \xff", 5);
	tar_file(tar, "x", "");
	pax_path(tar, "hdrcharset", "BINARY", 6);
	tar_file(tar, "\xc3\xa9", "");
	pax_path(tar, "linkpath", "\xff\xfe", 2);
	tar_link(tar, '2', "l", "x");
	pax_path(tar, "uname", "\xc3\xa9", 2);
	tar_file(tar, "owned", "");
}
static const char bytes[] = "f caf\xe9 =\nf caf\xc3\xa9 =\nf e\xcc\x81 \xff =\nf \xc3\xa9 =\n"
			    "l l -> \xff\xfe\nf owned =\n";

static void make_whiteouts(struct strbuf *tar)
{
	tar_file(tar, "d/.wh.gone", "");
	tar_file(tar, ".wh.top", "");
	tar_file(tar, "d/.wh..wh..opq", "");
	tar_file(tar, ".wh..wh..opq", "");
	tar_file(tar, ".wh...x", "");
	tar_link(tar, '1', ".wh.linked", ".wh..wh.aufs");
	tar_file(tar, ".wh..wh.aufs", "");
	tar_dir(tar, ".wh..wh.plnk/");
	tar_file(tar, ".wh..wh.plnk/123.456", "x");
	tar_dir(tar, ".wh..wh.orph");
	tar_file(tar, "after", "x");
}
static const char marks[] = "w d/gone\nw top\no d\no \nw ..x\nw linked\nf after =x\n";
static const char no_marks[] =
	"f d/.wh.gone =\nf .wh.top =\nf d/.wh..wh..opq =\nf .wh..wh..opq =\nf .wh...x =\n"
	"h .wh.linked -> .wh..wh.aufs\nf .wh..wh.aufs =\nd .wh..wh.plnk\n"
	"f .wh..wh.plnk/123.456 =x\nd .wh..wh.orph\nf after =x\n";

static void make_extensions(struct strbuf *tar)
{
	AUTO(strbuf) records = STRBUF_INIT;
	static const char note[] = "comment=a global header is no entry";

	strbuf_printf(&records, "%zu %s\n", strlen(note) + 4, note);
	tar_pax(tar, (struct tar_header){.name = "pax_global_header", .type = 'g'}, &records);
	tar_add(tar, (struct tar_header){
			     .name = "././@LongLink", .type = 'L', .size = 8, .magic = "ustar  "});
	tar_data(tar, "long/one", 8);
	tar_file(tar, "short", "1");
	pax_path(tar, "VENDOR.unknown", "x", 1);
	tar_file(tar, "kept", "2");
}
static const char extensions[] = "f long/one =1\nf kept =2\n";

static const uint8_t cap_v2[20] = {1, 0, 0, 2, 0, 4};
static const uint8_t cap_v3[24] = {1, 0, 0, 3, 0, 4, [20] = 0xe9, [21] = 3};

static void make_xattrs(struct strbuf *tar)
{
	static const struct {
		const char *key;
		const void *value;
		size_t len;
	} rows[] = {
		{"SCHILY.xattr.user.z", "1", 1},
		{"SCHILY.xattr.user.a", "2\0", 2},
		{"SCHILY.xattr.security.capability", cap_v3, 24},
		{"SCHILY.xattr.security.selinux", "x", 1},
		{"SCHILY.xattr.trusted.overlay.opaque", "y", 1},
		{"SCHILY.xattr.user.overlay.opaque", "y", 1},
		{"SCHILY.xattr.user.overlay.redirect", "/etc", 4},
		{"SCHILY.xattr.user.slipway.x", "y", 1},
		{"SCHILY.xattr.system.posix_acl_access", "y", 1},
	};
	AUTO(strbuf) records = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tar_record(&records, rows[i].key, rows[i].value, rows[i].len);
	tar_pax(tar, (struct tar_header){.name = "pax"}, &records);
	tar_file(tar, "f", "");
	pax_path(tar, "SCHILY.xattr.security.capability", "junk", 4);
	tar_file(tar, "g", "");
}
static const char kept_xattrs[] = "f f = security.capability(20) user.a(2) user.z(1)\nf g =\n";

static void make_sparse(struct strbuf *tar)
{
	sparse(tar, "3", "1\n0\n3\n");
}

static const struct {
	const char *name;
	void (*make)(struct strbuf *tar);
	const char *with, *without; /* whiteouts recognised or not */
} good[] = {
	{"kinds", make_kinds, kinds, kinds},
	{"names", make_names, names, names},
	{"bytes", make_bytes, bytes, bytes},
	{"whiteouts", make_whiteouts, marks, no_marks},
	{"extensions", make_extensions, extensions, extensions},
	{"xattrs", make_xattrs, kept_xattrs, kept_xattrs},
	{"sparse", make_sparse, "f holes =abc\n", "f holes =abc\n"},
};

static void test_good_archives(void **state)
{
	static const char *const locales[] = {"C", "C.UTF-8"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good) * 4; i++) {
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(strbuf) got = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		bool whiteouts = i & 1;

		good[i / 4].make(&tar);
		tar_end(&tar);
		setlocale(LC_ALL, locales[(i >> 1) & 1]);
		if (list_tar(&got, &tar, whiteouts, i & 2 ? 100 : 0, &err) < 0)
			fail_msg("%s: %s", good[i / 4].name, err.message);
		setlocale(LC_ALL, "C");
		assert_string_equal(got.buf, whiteouts ? good[i / 4].with : good[i / 4].without);
	}
}

static void test_attributes(void **state)
{
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(layer_reader) r = NULL;
	const struct entry *e;
	struct memory_source m;

	(void)state;
	pax_path(&tar, "SCHILY.xattr.security.capability", (const char *)cap_v3, 24);
	tar_add(&tar, (struct tar_header){.name = "su",
					  .mode = 0104755,
					  .uid = 1000,
					  .gid = 50,
					  .size = 3,
					  .mtime = 1700000000});
	tar_data(&tar, "abc", 3);
	pax_path(&tar, "mtime", "1600000000.75", 13);
	tar_dir(&tar, "d");
	tar_end(&tar);
	m = memory_source(tar.buf, tar.len);
	assert_int_equal(layer_reader_open_source(&r, &m.source, "t", true, &err), 0);
	assert_int_equal(layer_reader_next(r, &e, &err), 1);
	assert_int_equal(e->mode, 04755);
	assert_int_equal(e->uid, 1000);
	assert_int_equal(e->gid, 50);
	assert_int_equal(e->size, 3);
	assert_int_equal(e->mtime, 1700000000);
	assert_int_equal(e->n_xattrs, 1);
	assert_memory_equal(e->xattrs[0].value, cap_v2, 20);
	assert_int_equal(layer_reader_next(r, &e, &err), 1);
	assert_int_equal(e->mtime, 1600000000);
	assert_int_equal(layer_reader_next(r, &e, &err), 0);
	assert_int_equal(layer_reader_next(r, &e, &err), 0);
}

static void put_blob(struct fixture *f, const struct strbuf *bytes_, struct descriptor *d)
{
	assert_int_equal(store_put(f->store, MEDIA_OCI_LAYER, bytes_->buf, bytes_->len, d, &f->err),
			 0);
}

static int read_blob(struct fixture *f, const struct descriptor *d, const struct digest *diff,
		     struct digest *found)
{
	AUTO(strbuf) got = STRBUF_INIT;
	AUTO_PTR(layer_reader) r = NULL;

	if (layer_reader_open(&r, f->store, d, diff, &f->err) < 0)
		return -1;
	if (list_reader(&got, r, &f->err) < 0)
		return -1;
	*found = layer_reader_diff_id(r);
	return 0;
}

/* The diff ID is over the whole tar, what follows its end included; the digest over the blob. */
static void test_identities(void **state)
{
	struct fixture *f = *state;
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	struct digest diff, wrong, found;

	tar_file(&tar, "a", "content");
	tar_end(&tar);
	for (int i = 0; i < 10240; i++)
		strbuf_putc(&tar, 'z');
	put_blob(f, &tar, &d);
	diff = digest_of(tar.buf, tar.len);
	wrong = digest_of("x", 1);
	assert_int_equal(read_blob(f, &d, &diff, &found), 0);
	assert_string_equal(found.text, diff.text);
	assert_int_equal(read_blob(f, &d, NULL, &found), 0);
	assert_string_equal(found.text, diff.text);
	assert_int_equal(read_blob(f, &d, &wrong, &found), -1);
	assert_int_equal(f->err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(f->err.message, diff.text));
	assert_non_null(strstr(f->err.message, wrong.text));
	assert_true(store_has(f->store, &d.digest, d.size));
}

static void flip(struct fixture *f, const struct descriptor *d, off_t at)
{
	char path[STORE_BLOB_PATH], byte;
	int fd;

	store_blob_path(&d->digest, path);
	assert_int_equal(fchmodat(store_dirfd(f->store), path, 0600, 0), 0);
	fd = openat(store_dirfd(f->store), path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* A flipped bit is found wherever it is, and the blob set aside: in a header, in content, after the end. */
static void test_damaged_blob(void **state)
{
	static const off_t places[] = {3, 514, 600, 1030, 2000};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(descriptor) d = {0};
		struct digest found;

		tar_file(&tar, "a", "content");
		tar_end(&tar);
		put_blob(f, &tar, &d);
		flip(f, &d, places[i]);
		assert_int_equal(read_blob(f, &d, NULL, &found), -1);
		assert_int_equal(f->err.kind, ERROR_CORRUPT);
		assert_false(store_has(f->store, &d.digest, -1));
	}
}

/* Large enough for a thread of its own: all of it, its damage, and giving it up in the middle. */
static void test_large_blob(void **state)
{
	struct fixture *f = *state;
	const size_t size = (size_t)3 << 20;
	AUTO_FREE char *content = xmalloc(size + 1);
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	struct layer_reader *r = NULL;
	struct digest found, diff;
	const struct entry *e;
	uint32_t x = 2463534242;

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		content[i] = (char)(x | 1);
	}
	content[size] = '\0';
	tar_file(&tar, "noise", content);
	tar_file(&tar, "after", "x");
	tar_end(&tar);
	diff = digest_of(tar.buf, tar.len);
	put_blob(f, &tar, &d);
	assert_ok(f, read_blob(f, &d, &diff, &found));
	assert_ok(f, layer_reader_open(&r, f->store, &d, &diff, &f->err));
	assert_int_equal(layer_reader_next(r, &e, &f->err), 1);
	assert_int_equal(layer_reader_read(r, content, 1000, &f->err), 1000);
	layer_reader_free(r);
	flip(f, &d, 2 << 20);
	assert_fails(f, ERROR_CORRUPT, d.digest.text, read_blob(f, &d, &diff, &found));
	assert_false(store_has(f->store, &d.digest, -1));
}

static void test_missing_blob(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	struct digest none = digest_of("nothing", 7), found;

	descriptor_set(&d, MEDIA_OCI_LAYER, &none, 7);
	assert_int_equal(read_blob(f, &d, NULL, &found), -1);
	assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_archives),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test_setup_teardown(test_identities, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_blob, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_large_blob, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_missing_blob, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
