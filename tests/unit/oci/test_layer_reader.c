#include "oci/layer_reader.h"

#include <locale.h>
#include <stdlib.h>

#include "base/limits.h"
#include "oci/layer_writer.h"
#include "tests/unit/oci/memory_source.h"
#include "tests/unit/oci/store_fixture.h"
#include "tests/unit/oci/tar_build.h"

/* One line an entry: letter, path, and what matters of its kind. */
static void show(struct strbuf *out, const struct entry *e, const char *content)
{
	static const char letters[] = "fdlhcbpwo";

	strbuf_printf(out, "%c %s", letters[e->type], e->path);
	if (e->link)
		strbuf_printf(out, " -> %s", e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		strbuf_printf(out, " %u:%u", e->dev_major, e->dev_minor);
	if (e->type == ENTRY_FILE)
		strbuf_printf(out, " =%s", content);
	for (size_t i = 0; i < e->n_xattrs; i++)
		strbuf_printf(out, " %s(%zu)", e->xattrs[i].name, e->xattrs[i].len);
	strbuf_putc(out, '\n');
}

static int list_reader(struct strbuf *out, struct layer_reader *r, struct error *err)
{
	const struct entry *e;
	int more;

	while ((more = layer_reader_next(r, &e, err)) > 0) {
		char content[64] = "", rest[512];
		int64_t got = 0;

		if (e->type == ENTRY_FILE)
			got = layer_reader_read(r, content, sizeof(content) - 1, err);
		while (got > 0)
			got = layer_reader_read(r, rest, sizeof(rest), err);
		if (got < 0)
			return -1;
		show(out, e, content);
	}
	return more;
}

static int list_tar(struct strbuf *out, const struct strbuf *tar, bool whiteouts, size_t step,
		    struct error *err)
{
	struct memory_source m = memory_source(tar->buf, tar->len);
	AUTO_PTR(layer_reader) r = NULL;

	m.step = step;
	if (layer_reader_open_source(&r, &m.source, "test.tar", whiteouts, err) < 0)
		return -1;
	return list_reader(out, r, err);
}

static void pax_path(struct strbuf *tar, const char *key, const char *value, size_t len)
{
	AUTO(strbuf) records = STRBUF_INIT;

	tar_record(&records, key, value, len);
	tar_pax(tar, (struct tar_header){.name = "pax"}, &records);
}

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

/* GNU tar's sparse format 1.0 (tar manual, "PAX 1"): the map stands before the data. */
static void sparse(struct strbuf *tar, const char *realsize, const char *map)
{
	AUTO(strbuf) records = STRBUF_INIT;
	char block[512] = {0};

	tar_record(&records, "GNU.sparse.major", "1", 1);
	tar_record(&records, "GNU.sparse.minor", "0", 1);
	tar_record(&records, "GNU.sparse.name", "holes", 5);
	tar_record(&records, "GNU.sparse.realsize", realsize, strlen(realsize));
	tar_pax(tar, (struct tar_header){.name = "pax"}, &records);
	tar_add(tar, (struct tar_header){.name = "GNUSparseFile.0/holes", .size = 512 + 3});
	memcpy(block, map, strlen(map));
	tar_data(tar, block, sizeof(block));
	tar_data(tar, "abc", 3);
}

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

/* Abuse: the rows 1, 5, 7 and 12 of the threat model, and what else is no name, link or size. */
static void bad_dotdot(struct strbuf *t)
{
	tar_file(t, "../../x", "");
}
static void bad_middle(struct strbuf *t)
{
	tar_file(t, "a/../../x", "");
}
static void bad_last(struct strbuf *t)
{
	tar_dir(t, "a/..");
}
static void bad_absolute_dotdot(struct strbuf *t)
{
	tar_file(t, "/../x", "");
}
static void bad_pax_dotdot(struct strbuf *t)
{
	pax_path(t, "path", "a/../../b", 9);
	tar_file(t, "fine", "");
}
static void bad_hardlink(struct strbuf *t)
{
	tar_link(t, '1', "l", "../../etc/shadow");
}
static void bad_hardlink_root(struct strbuf *t)
{
	tar_link(t, '1', "l", "/");
}
static void bad_root(struct strbuf *t)
{
	tar_link(t, '2', "./", "/etc");
}
static void bad_symlink_empty(struct strbuf *t)
{
	tar_link(t, '2', "l", "");
}
static void bad_whiteout_dotdot(struct strbuf *t)
{
	tar_file(t, ".wh...", "");
}
static void bad_whiteout_dot(struct strbuf *t)
{
	tar_file(t, ".wh..", "");
}
static void bad_whiteout_empty(struct strbuf *t)
{
	tar_file(t, ".wh.", "");
}
static void bad_whiteout_below(struct strbuf *t)
{
	tar_file(t, ".wh./x", "");
}
static void bad_whiteout_sub(struct strbuf *t)
{
	tar_file(t, "sub/.wh...", "");
}
static void bad_whiteout_folder(struct strbuf *t)
{
	tar_dir(t, ".wh.x");
}
static void bad_whiteout_kind(struct strbuf *t)
{
	tar_file(t, ".wh..wh.other", "");
}
static void bad_size_huge(struct strbuf *t)
{
	pax_path(t, "size", "9223372036854775808", 19);
	tar_file(t, "f", "");
}
static void bad_size_negative(struct strbuf *t)
{
	pax_path(t, "size", "-1", 2);
	tar_file(t, "f", "");
}
static void bad_size_binary(struct strbuf *t)
{
	tar_add(t, (struct tar_header){
			   .name = "f",
			   .size_text = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"});
}
static void bad_size_beyond(struct strbuf *t)
{
	tar_add(t, (struct tar_header){.name = "f", .size_text = "\x80\0\0\0\x7f\0\0\0\0\0\0\0"});
}
static void bad_owner(struct strbuf *t)
{
	pax_path(t, "uid", "4294967296", 10);
	tar_file(t, "f", "");
}
static void bad_owner_negative(struct strbuf *t)
{
	pax_path(t, "gid", "-5", 2);
	tar_file(t, "f", "");
}
static void bad_pax_huge(struct strbuf *t)
{
	tar_add(t, (struct tar_header){.name = "pax", .type = 'x', .size = 1ll << 30});
	tar_data(t, "30 comment=", 11);
}
static void bad_pax_length(struct strbuf *t)
{
	AUTO(strbuf) records = STRBUF_INIT;

	strbuf_puts(&records, "99 path=short\n");
	tar_pax(t, (struct tar_header){.name = "pax"}, &records);
	tar_file(t, "f", "");
}
static void bad_sparse_overlap(struct strbuf *t)
{
	sparse(t, "1000", "2\n500\n2\n0\n1\n");
}
static void bad_sparse_huge(struct strbuf *t)
{
	sparse(t, "9223372036854775807", "1\n0\n3\n");
}
static void bad_cut(struct strbuf *t)
{
	tar_file(t, "f", "content");
	strbuf_truncate(t, t->len - 510);
}
static void bad_checksum(struct strbuf *t)
{
	tar_file(t, "f", "content");
	t->buf[0] = 'g';
}
static void bad_format(struct strbuf *t)
{
	for (int i = 0; i < 2000; i++)
		strbuf_puts(t, "no tar ");
}

static const struct {
	void (*make)(struct strbuf *tar);
	const char *why;
	bool no_end;
} bad[] = {
	{bad_dotdot, "unsafe path", false},
	{bad_middle, "unsafe path", false},
	{bad_last, "unsafe path", false},
	{bad_absolute_dotdot, "unsafe path", false},
	{bad_pax_dotdot, "unsafe path", false},
	{bad_hardlink, "unsafe path", false},
	{bad_hardlink_root, "hard link to the root", false},
	{bad_root, "in the place of the root folder", false},
	{bad_symlink_empty, "symbolic link with an empty", false},
	{bad_whiteout_dotdot, "a whiteout of nothing", false},
	{bad_whiteout_dot, "a whiteout of nothing", false},
	{bad_whiteout_empty, "a whiteout of nothing", false},
	{bad_whiteout_below, "below a whiteout", false},
	{bad_whiteout_sub, "a whiteout of nothing", false},
	{bad_whiteout_folder, "whiteout that is a folder", false},
	{bad_whiteout_kind, "whiteout of a kind", false},
	{bad_size_huge, "size", false},
	{bad_size_negative, "size", false},
	{bad_size_binary, "size", false},
	{bad_size_beyond, "size", false},
	{bad_owner, "owner", false},
	{bad_owner_negative, "owner", false},
	{bad_pax_huge, "not a valid tar archive", false},
	{bad_pax_length, "not a valid tar archive", false},
	{bad_sparse_overlap, "not a valid tar archive", false},
	{bad_sparse_huge, "size", false},
	{bad_cut, "not a valid tar archive", true},
	{bad_checksum, "not a valid tar archive", false},
	{bad_format, "not a valid tar archive", true},
};

static void test_bad_archives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(strbuf) got = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;

		bad[i].make(&tar);
		if (!bad[i].no_end)
			tar_end(&tar);
		if (list_tar(&got, &tar, true, 0, &err) == 0)
			fail_msg("row %zu (%s) was read: %s", i, bad[i].why, got.buf);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		if (!strstr(err.message, bad[i].why))
			fail_msg("row %zu: \"%s\" in \"%s\"?", i, bad[i].why, err.message);
	}
}

static void test_limits(void **state)
{
	AUTO(strbuf) deep = STRBUF_INIT;
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(strbuf) got = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 3000; i++)
		strbuf_puts(&deep, "a/");
	pax_path(&tar, "path", deep.buf, deep.len);
	tar_file(&tar, "x", "");
	tar_end(&tar);
	assert_int_equal(list_tar(&got, &tar, true, 0, &err), -1);
	assert_non_null(strstr(err.message, "longer than 4096 bytes"));
}

/* A source that never ends: the same entry again and again. */
struct endless {
	struct source source;
	char block[512 * 512];
	int64_t given;
};

static int64_t endless_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct endless *e = (struct endless *)s;
	size_t n = len < sizeof(e->block) ? len : sizeof(e->block);

	(void)err;
	n -= n % 512;
	memcpy(data, e->block, n);
	e->given += (int64_t)n;
	return (int64_t)n;
}

static void test_too_many_entries(void **state)
{
	struct endless *source = xcalloc(1, sizeof(*source));
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(layer_reader) r = NULL;
	const struct entry *e;
	int more;

	(void)state;
	source->source.read = endless_read;
	tar_file(&tar, "x", "");
	for (size_t at = 0; at < sizeof(source->block); at += 512)
		memcpy(source->block + at, tar.buf, 512);
	assert_int_equal(layer_reader_open_source(&r, &source->source, "t", true, &err), 0);
	while ((more = layer_reader_next(r, &e, &err)) > 0)
		;
	assert_int_equal(more, -1);
	assert_non_null(strstr(err.message, "more than 5000000 entries"));
	free(source);
}

/* A file of 1 TiB less a byte, nearly all hole, in a few hundred bytes. */
static void test_sparse_bomb(void **state)
{
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(layer_reader) r = NULL;
	AUTO_FREE char *buf = xmalloc(1 << 20);
	const struct entry *e;
	struct memory_source m;
	int64_t got, total = 0;

	(void)state;
	sparse(&tar, "1099511627775", "1\n1099511627772\n3\n");
	tar_end(&tar);
	m = memory_source(tar.buf, tar.len);
	assert_int_equal(layer_reader_open_source(&r, &m.source, "t", true, &err), 0);
	assert_int_equal(layer_reader_next(r, &e, &err), 1);
	while ((got = layer_reader_read(r, buf, 1 << 20, &err)) > 0)
		total += got;
	assert_int_equal(got, -1);
	assert_non_null(strstr(err.message, "bomb"));
	assert_true(total < LIMIT_LAYER_RATIO_AFTER + (4 << 20));
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
	fchmodat(store_dirfd(f->store), path, 0600, 0);
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
		cmocka_unit_test(test_bad_archives),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many_entries),
		cmocka_unit_test(test_sparse_bomb),
		cmocka_unit_test_setup_teardown(test_identities, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_blob, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_missing_blob, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
