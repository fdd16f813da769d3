#include "builder/copy_archive.h"

#include "copy_fixture.h"
#include "tests/unit/oci/tar_build.h"

/*
 * GNU tar's layout of "d" (0750, 5:6) and "d/a" (04755, 0:0, "hello"), made with Python's tarfile and packed by gzip, bzip2,
 * xz and zstd; and a gzip that holds a text.
 */
static const uint8_t gzip_tar[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xd1, 0x67, 0xa0, 0x39,
	0x30, 0x00, 0x02, 0x73, 0x53, 0x03, 0x30, 0x6d, 0x60, 0x60, 0x0a, 0xa5, 0xcd, 0xa0, 0x34,
	0x18, 0xc0, 0xd8, 0x86, 0x10, 0x75, 0x66, 0x46, 0x86, 0xc6, 0x0c, 0x0a, 0xa6, 0x0c, 0x74,
	0x00, 0xa5, 0xc5, 0x25, 0x89, 0x45, 0x40, 0x2b, 0x19, 0x46, 0x26, 0x48, 0xd1, 0x4f, 0xa4,
	0x47, 0xfc, 0x9b, 0x98, 0x9b, 0xc2, 0xe2, 0xdd, 0x00, 0x9d, 0x46, 0x4e, 0x0b, 0xc6, 0xe6,
	0x46, 0xe0, 0xf8, 0x37, 0x36, 0x35, 0x62, 0x50, 0x30, 0x18, 0x8d, 0x7f, 0x9a, 0x83, 0x8c,
	0xd4, 0x9c, 0x9c, 0x7c, 0x2e, 0x86, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05, 0x23,
	0x0c, 0x00, 0x00, 0x05, 0xb4, 0x8d, 0xc8, 0x00, 0x0a, 0x00, 0x00,
};

static const uint8_t bzip2_tar[] = {
	0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0x2d, 0x4f, 0xdb, 0xf7,
	0x00, 0x00, 0x4f, 0x5b, 0x80, 0xd9, 0x90, 0x40, 0x00, 0xff, 0x80, 0x00, 0x03, 0x66,
	0x44, 0x9e, 0x00, 0x08, 0x08, 0x20, 0x00, 0x74, 0x12, 0xa6, 0x93, 0x4d, 0x0c, 0x80,
	0x1b, 0x50, 0x64, 0xd0, 0x4a, 0x4d, 0x4d, 0x34, 0xd1, 0xa6, 0x46, 0x80, 0x34, 0xd0,
	0xd5, 0xf2, 0xc1, 0x2f, 0xf9, 0x07, 0x00, 0x91, 0x95, 0x07, 0x5c, 0x42, 0x33, 0x56,
	0x35, 0x1e, 0x08, 0xc0, 0x28, 0xa7, 0x24, 0xda, 0x3c, 0x82, 0xa0, 0x5a, 0x20, 0xc0,
	0x56, 0x80, 0xb6, 0x34, 0x46, 0x3a, 0x0f, 0x58, 0xc9, 0x1c, 0xf8, 0x73, 0x75, 0xc6,
	0xa9, 0x27, 0x3c, 0x74, 0x60, 0xad, 0x09, 0x50, 0x95, 0x66, 0x93, 0xa1, 0x32, 0xa5,
	0x4a, 0x91, 0x03, 0xf1, 0x77, 0x24, 0x53, 0x85, 0x09, 0x02, 0xd4, 0xfd, 0xbf, 0x70,
};

static const uint8_t xz_tar[] = {
	0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21,
	0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0xe0, 0x09, 0xff, 0x00, 0x63, 0x5d,
	0x00, 0x32, 0x0b, 0xbc, 0x1b, 0xa7, 0x8c, 0x34, 0x44, 0xe1, 0xb7, 0x95, 0xff, 0x8d, 0xbf,
	0xfe, 0xd0, 0x89, 0x80, 0x13, 0xf1, 0x06, 0xe5, 0x5b, 0x53, 0xcb, 0x36, 0xb9, 0x85, 0xad,
	0x45, 0x29, 0xec, 0xcc, 0x35, 0x14, 0x18, 0x3f, 0xf0, 0x1b, 0x8e, 0x29, 0x64, 0xe4, 0x26,
	0x20, 0x92, 0x95, 0xe6, 0x54, 0x39, 0xc7, 0xdd, 0x28, 0x9c, 0x6a, 0x0e, 0xc2, 0x73, 0x0e,
	0xba, 0x82, 0xe1, 0x92, 0x3a, 0x72, 0x1f, 0x97, 0xc3, 0x77, 0x7d, 0x70, 0xee, 0xf4, 0x07,
	0x7e, 0x22, 0xaa, 0xa6, 0x5a, 0x7b, 0xba, 0xde, 0x39, 0x6a, 0x2b, 0x7f, 0x80, 0x6a, 0xf2,
	0x11, 0x56, 0xc4, 0xce, 0xd1, 0xb9, 0x97, 0x5a, 0x00, 0x00, 0x00, 0x00, 0x1b, 0x33, 0x74,
	0xbe, 0x57, 0xb1, 0x5a, 0xfd, 0x00, 0x01, 0x7f, 0x80, 0x14, 0x00, 0x00, 0x00, 0x93, 0x1b,
	0xbc, 0x57, 0xb1, 0xc4, 0x67, 0xfb, 0x02, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
};

static const uint8_t zstd_tar[] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0xe5, 0x02, 0x00, 0x62, 0xc4, 0x0c, 0x10, 0xa0, 0x1d,
	0x0e, 0x74, 0xc4, 0x6d, 0xfa, 0x5f, 0xfd, 0x9a, 0x76, 0xde, 0x15, 0x2d, 0x96, 0x0c, 0x05,
	0xcf, 0x39, 0xd6, 0x0e, 0x25, 0xa7, 0xa0, 0xef, 0x24, 0x95, 0x7b, 0x4e, 0x32, 0x7f, 0x95,
	0x58, 0xfd, 0x42, 0x25, 0xe3, 0x6c, 0x4f, 0x68, 0x19, 0x04, 0x8d, 0x5e, 0x74, 0xee, 0x27,
	0xfd, 0x57, 0xac, 0x0e, 0x20, 0xd0, 0xd8, 0xd2, 0xe2, 0x01, 0xf6, 0x81, 0xdf, 0x00, 0x1b,
	0x80, 0xaa, 0x0f, 0xee, 0xc0, 0x03, 0x18, 0x4e, 0x9f, 0xc8, 0x7c, 0x0a, 0x7d, 0x99, 0xbc,
	0x1c, 0xcc, 0x2c, 0xb4, 0xe7, 0xbc, 0xb4, 0xc7, 0xa7, 0x32, 0x04, 0xcb, 0xd1, 0x6d, 0xa0,
};

static const uint8_t gzip_text[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0xcb, 0x2f, 0x51,
	0x48, 0x54, 0x28, 0x49, 0x2c, 0xd2, 0x51, 0xc8, 0xcf, 0xcb, 0xa9, 0x54, 0x28, 0x49,
	0xad, 0x28, 0xe1, 0x02, 0x00, 0xc0, 0xde, 0x83, 0xed, 0x15, 0x00, 0x00, 0x00,
};

struct packed {
	const char *name;
	const uint8_t *data;
	size_t len;
};

static void put_bytes(const struct copy_fixture *f, const char *name, const void *data, size_t len)
{
	AUTO_FREE char *path = xstrfmt("%s/context/%s", f->base.folder, name);

	create_files(f, "context", "");
	assert_ok(fs_write_file_atomic(path, data, len, 0644, err));
}

/* The tar as "a.tar" of the context. */
static void put_tar(const struct copy_fixture *f, struct strbuf *tar)
{
	tar_end(tar);
	put_bytes(f, "a.tar", tar->buf, tar->len);
	strbuf_reset(tar);
}

static char *copied(struct copy_fixture *f, const char *line, const char *below)
{
	AUTO(test_image) image;
	char *text = NULL;
	AUTO(test_copy) c;

	test_image_init(&image, f, below);
	test_copy_init(&c, f, line, "/", NULL);
	assert_ok(run_copy(f, &c, below ? &image : NULL, &text, err));
	return text;
}

#define assert_copied(f, line, below, wanted)                       \
	do {                                                        \
		AUTO_FREE char *text_ = copied((f), (line), below); \
		assert_string_equal(text_, (wanted));               \
	} while (0)

/* The content tells, whatever the name; what is packed and no tar is a file like others. */
static void recognises_by_content(void **state)
{
	static const struct packed packed[] = {
		{"gzip", gzip_tar, sizeof(gzip_tar)},
		{"bzip2", bzip2_tar, sizeof(bzip2_tar)},
		{"xz", xz_tar, sizeof(xz_tar)},
		{"zstd", zstd_tar, sizeof(zstd_tar)},
	};
	struct copy_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
		put_bytes(f, "some.text", packed[i].data, packed[i].len);
		assert_copied(f, "ADD some.text /x", NULL,
			      "d 755 0:0 x\nd 750 5:6 x/d\nf 4755 0:0 x/d/a=hello|\n");
	}
	put_bytes(f, "t.tar.gz", gzip_text, sizeof(gzip_text));
	for (size_t i = 0; i < 3; i++) {
		static const char *const lines[] = {"ADD t.tar.gz /x/", "COPY some.text /x/",
						    "ADD --unpack=false some.text /x/"};
		AUTO_FREE char *text = copied(f, lines[i], NULL);

		assert_true(str_starts(text, i ? "d 755 0:0 x\nf 644 0:0 x/some.text="
					       : "d 755 0:0 x\nf 644 0:0 x/t.tar.gz="));
	}
	put_bytes(f, "empty", "", 0);
	assert_copied(f, "ADD empty /x", NULL, "f 644 0:0 x=\n");
	put_bytes(f, "text", "hello", 5);
	assert_copied(f, "ADD text /x", NULL, "f 644 0:0 x=hello\n");
}

/* Archives of 1979: a header with a checksum and no magic. */
static void recognises_old_tars(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar, (struct tar_header){
			      .name = "a", .mode = 0640, .size = 2, .magic = "\0\0\0\0\0\0\0\0"});
	tar_data(&tar, "v7", 2);
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /x", NULL, "d 755 0:0 x\nf 640 0:0 x/a=v7\n");
}

/* Only what is named is unpacked, not what lies in a folder; wildcards and several are fine. */
static void unpacks_named_sources_only(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_file(&tar, "in", "1");
	put_tar(f, &tar);
	put_bytes(f, "b.tgz", gzip_tar, sizeof(gzip_tar));
	create_files(f, "context", "f 644 0:0 c.txt=2");
	assert_copied(f, "ADD a.tar c.txt *.tgz /x/", NULL,
		      "d 755 0:0 x\nf 644 0:0 x/c.txt=2\nd 750 5:6 x/d\nf 4755 0:0 x/d/a=hello|\n"
		      "f 644 0:0 x/in=1\n");
	assert_copied(f, "ADD --exclude=*.t* *.t* /x/", NULL, "");
	assert_copied(f, "ADD --exclude=*.tar --exclude=*.tgz . /x/", NULL,
		      "d 755 0:0 x\nf 644 0:0 x/c.txt=2\n");
	assert_copied(f, "ADD --chown=1:2 --chmod=777 b.tgz /x", NULL,
		      "d 755 1:2 x\nd 750 1:2 x/d\nf 4755 1:2 x/d/a=hello|\n");
}

static void keeps_members(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(strbuf) records = STRBUF_INIT;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar,
		(struct tar_header){.name = "./", .type = '5', .mode = 0710, .uid = 8, .gid = 9});
	tar_add(&tar,
		(struct tar_header){.name = "f", .mode = 02755, .uid = 1, .gid = 2, .size = 1});
	tar_data(&tar, "1", 1);
	tar_link(&tar, '1', "hard", "f");
	tar_link(&tar, '2', "soft", "../../f");
	tar_link(&tar, '1', "hard-soft", "soft");
	tar_add(&tar, (struct tar_header){
			      .name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3});
	tar_add(&tar, (struct tar_header){.name = "pipe", .type = '6', .mode = 0600});
	tar_record(&records, "SCHILY.xattr.user.k", "v", 1);
	tar_record(&records, "SCHILY.xattr.security.capability",
		   "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	tar_pax(&tar, (struct tar_header){.name = "PaxHeader/cap"}, &records);
	tar_file(&tar, "cap", "2");
	put_tar(f, &tar);
	{
		AUTO_FREE char *text = copied(f, "ADD a.tar /x/", NULL);
		char *cap = strstr(text, "x x/cap security.capability=");

		assert_non_null(cap);
		assert_null(strstr(text, "user.k"));
		*cap = '\0';
		/* the destination does not take what "./" has, as with docker */
		assert_string_equal(text, "d 755 0:0 x\nf 644 0:0 x/cap=2\n");
		assert_non_null(strstr(cap + 1, "f 2755 1:2 x/f=1\nh 2755 1:2 x/hard => x/f\n"
						"l 777 0:0 x/hard-soft -> ../../f\n"
						"c 666 0:0 x/null 1:3\np 600 0:0 x/pipe\n"
						"l 777 0:0 x/soft -> ../../f\n"));
	}
}

/* Whatever the names say, nothing lands outside the destination's root. */
static void confines_members(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(sha256) hash = SHA256_INIT;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_file(&tar, "/abs", "1");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /x", NULL, "d 755 0:0 x\nf 644 0:0 x/abs=1\n");

	tar_link(&tar, '2', "out", "../../../etc");
	tar_file(&tar, "out/passwd", "2");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /x", NULL,
		      "d 755 0:0 etc\nf 644 0:0 etc/passwd=2\nd 755 0:0 x\n"
		      "l 777 0:0 x/out -> ../../../etc\n");

	tar_link(&tar, '2', "l", "/");
	tar_file(&tar, "l/y", "3");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /x", NULL, "d 755 0:0 x\nl 777 0:0 x/l -> /\nf 644 0:0 y=3\n");

	tar_file(&tar, "../up", "4");
	put_tar(f, &tar);
	{
		const struct copy_image nothing = {.tree = NULL};
		AUTO(layer) layer = {.uncompressed = 0};
		AUTO(test_copy) c;

		/* refused where it is read: such a file is no archive that could be unpacked */
		test_copy_init(&c, f, "ADD a.tar /x", "/", NULL);
		assert_ok(copy_hash(&c.request, &hash, err));
		assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err),
			     ERROR_CORRUPT, "..");
	}
	tar_file(&tar, "fine", "1");
	tar_link(&tar, '1', "hard", "/etc/shadow");
	put_tar(f, &tar);
	{
		const struct copy_image nothing = {.tree = NULL};
		AUTO(layer) layer = {.uncompressed = 0};
		AUTO(test_copy) c;

		test_copy_init(&c, f, "ADD a.tar /x", "/", NULL);
		assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err),
			     ERROR_CORRUPT,
			     "hard is a hard link to etc/shadow, which is not in the archive");
	}
}

/* As tar -x does: members replace what is there, links of the destination are followed, those in a folder's way are not. */
static void replaces_what_is_there(void **state)
{
	static const char base[] = "d 755 0:0 a\nf 644 0:0 a/was=1\nf 644 0:0 b=2\n"
				   "l 777 0:0 lib -> usr/lib\nd 755 0:0 usr/lib\nd 755 0:0 usr\n";
	struct copy_fixture *f = *state;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_file(&tar, "lib/so", "1");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /", base,
		      "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/so=1\n");

	tar_dir(&tar, "lib/");
	tar_file(&tar, "lib/so", "1");
	tar_file(&tar, "a", "now a file");
	tar_dir(&tar, "b");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /", base,
		      "f 644 0:0 a=now a file\nd 755 0:0 b\nd 755 0:0 lib\nf 644 0:0 lib/so=1\n");

	/* a folder that was a file in between is empty */
	tar_file(&tar, "a", "a file for a moment");
	tar_dir(&tar, "a");
	tar_file(&tar, "a/new", "3");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /", base, "d 755 0:0 a\no a\nf 644 0:0 a/new=3\n");

	/* the same name twice: the last counts, hard links to the first keep its bytes */
	tar_file(&tar, "x", "first");
	tar_link(&tar, '1', "y", "x");
	tar_file(&tar, "x", "second");
	tar_link(&tar, '1', "x", "x");
	put_tar(f, &tar);
	assert_copied(f, "ADD a.tar /", NULL, "f 644 0:0 x=second\nf 644 0:0 y=first\n");
}

static void tells_of_damage(void **state)
{
	struct copy_fixture *f = *state;
	const struct copy_image nothing = {.tree = NULL};
	AUTO(layer) layer = {.uncompressed = 0};
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(test_copy) c;

	tar_file(&tar, "a", "1");
	tar_add(&tar, (struct tar_header){.name = "b", .mode = 0644, .size = 5000});
	put_bytes(f, "cut.tar", tar.buf, tar.len);
	test_copy_init(&c, f, "ADD cut.tar /x", "/", NULL);
	assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err), ERROR_CORRUPT,
		     "unpack cut.tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(recognises_by_content),
		copy_test(recognises_old_tars),
		copy_test(unpacks_named_sources_only),
		copy_test(keeps_members),
		copy_test(confines_members),
		copy_test(replaces_what_is_there),
		copy_test(tells_of_damage),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
