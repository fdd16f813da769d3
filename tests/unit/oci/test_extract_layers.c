#include "oci/extract.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "oci/layer_writer.h"
#include "tests/unit/oci/extract_ground.h"

static bool is_whiteout(int fd, const char *path)
{
	struct stat st;

	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == 0;
}

static bool is_opaque(const struct ground *g, const char *path)
{
	AUTO_FREE char *full = xstrfmt("%s/%s", g->out, path);
	char value = 0;

	return getxattr(full, g->o.user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque",
			&value, 1) == 1 &&
	       value == 'y';
}

static void make_lower(struct ground *g)
{
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar,
		(struct tar_header){.name = "usr", .type = '5', .mode = 0711, .mtime = 1600000000});
	tar_add(&tar, (struct tar_header){
			      .name = "usr/lib", .type = '5', .mode = 0750, .mtime = 1600000001});
	tar_file(&tar, "usr/lib/old", "old");
	tar_link(&tar, '2', "lib", "usr/lib");
	tar_dir(&tar, "gone");
	tar_file(&tar, "gone/x", "x");
	tar_dir(&tar, "emptied");
	tar_file(&tar, "emptied/x", "x");
	tar_dir(&tar, "again");
	tar_file(&tar, "again/x", "x");
	tar_dir(&tar, "late");
	tar_file(&tar, "late/x", "x");
	tar_file(&tar, "kept", "kept");
	tar_link(&tar, '2', "link", "gone");
	tar_dir(&tar, "tolink");
	tar_file(&tar, "tolink/x", "x");
	assert_ok(g->f, extract(g, &tar, &g->f->err));
}

static void make_upper(struct strbuf *tar)
{
	tar_file(tar, "lib/new", "new");
	tar_file(tar, ".wh.gone", "");
	tar_file(tar, ".wh.link", "");
	tar_file(tar, ".wh.nothing", "");
	tar_file(tar, "nowhere/.wh.nothing", "");
	tar_dir(tar, "emptied");
	tar_file(tar, "emptied/y", "y");
	tar_file(tar, "emptied/.wh..wh..opq", "");
	tar_file(tar, ".wh.again", "");
	tar_dir(tar, "again");
	tar_file(tar, "again/y", "y");
	tar_dir(tar, "late");
	tar_file(tar, "late/y", "y");
	tar_file(tar, ".wh.late", "");
	tar_file(tar, "kept", "newer");
	tar_file(tar, ".wh.kept", "");
	tar_link(tar, '2', "tolink", "usr");
	tar_file(tar, "tolink/z", "z");
}

/* make_upper() over make_lower(), as image-spec 1.1 layer.md has it. */
static const char merged[] = "again 755\nagain/y 644 =y\nemptied 755\nemptied/y 644 =y\n"
			     "kept 644 =newer\nlate 755\nlate/y 644 =y\nlib -> usr/lib\n"
			     "tolink -> usr\nusr 711\nusr/lib 750\nusr/lib/new 644 =new\n"
			     "usr/lib/old 644 =old\nusr/z 644 =z\n";

/* The kernel's own view of the two folders, in a mount namespace of this process. */
static void assert_kernel_merges(const struct ground *upper, const struct ground *lower)
{
	AUTO_FREE char *at = xstrfmt("%s-merged", upper->out);
	AUTO_FREE char *top = xstrfmt("%s-top", upper->out);
	AUTO_FREE char *work = xstrfmt("%s-work", upper->out);
	AUTO_FREE char *options = xstrfmt("lowerdir=%s:%s,upperdir=%s,workdir=%s", upper->out,
					  lower->out, top, work);
	AUTO(strbuf) found = STRBUF_INIT;
	AUTO_FD int fd = -1;

	mkdir(at, 0755);
	mkdir(top, 0755);
	mkdir(work, 0755);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", at, "overlay", 0, options) < 0) {
		print_message("no overlay mount here: %s\n", strerror(errno));
		return;
	}
	fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list_folder(&found, fd);
	close(take_fd(fd));
	assert_int_equal(umount2(at, MNT_DETACH), 0);
	assert_string_equal(found.buf, merged);
}

/* The second layer in a folder of its own: what the kernel's overlay needs to see. Rows 4, 8, 9 and 10 are in it. */
static void test_overlay_form(void **state)
{
	struct fixture *f = *state;
	AUTO(ground) lower = {0};
	AUTO(ground) upper = {0};
	AUTO(strbuf) tar = STRBUF_INIT;
	struct stat st;

	if (geteuid() != 0)
		skip();
	ground_init(&lower, f, "lower");
	ground_init(&upper, f, "upper");
	make_lower(&lower);
	make_upper(&tar);
	tree_free(upper.below);
	upper.below = lower.below;
	lower.below = tree_new();
	assert_ok(f, extract(&upper, &tar, &f->err));
	/* Through the link of the lower layer, below the parents that it has there. */
	assert_int_equal(fstatat(upper.fd, "lib", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(upper.fd, "usr/lib/new", &st, 0), 0);
	assert_int_equal(fstatat(upper.fd, "usr", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
	assert_int_equal(st.st_mtime, 1600000000);
	assert_int_equal(fstatat(upper.fd, "usr/lib", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtime, 1600000001);
	assert_int_equal(fstatat(upper.fd, "usr/z", &st, 0), 0);
	assert_true(is_whiteout(upper.fd, "gone"));
	assert_true(is_whiteout(upper.fd, "link"));
	assert_int_equal(fstatat(upper.fd, "nothing", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(upper.fd, "nowhere", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_true(is_opaque(&upper, "emptied"));
	assert_true(is_opaque(&upper, "again"));
	assert_true(is_opaque(&upper, "late"));
	assert_false(is_opaque(&upper, "usr"));
	assert_false(is_opaque(&upper, ""));
	assert_int_equal(fstatat(upper.fd, "late/y", &st, 0), 0);
	assert_int_equal(fstatat(upper.fd, "kept", &st, 0), 0);
	assert_int_equal(st.st_size, 5);
	assert_kernel_merges(&upper, &lower);
}

/* The same layers one over the other in a plain folder. */
static void test_flat_form(void **state)
{
	struct fixture *f = *state;
	AUTO(ground) g = {0};
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(strbuf) found = STRBUF_INIT;
	struct stat st;

	ground_init(&g, f, "flat");
	g.o.flat = true;
	make_lower(&g);
	make_upper(&tar);
	assert_ok(f, extract(&g, &tar, &f->err));
	list_folder(&found, g.fd);
	assert_string_equal(found.buf, merged);
	assert_int_equal(fstatat(g.fd, "usr/lib", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1600000001);
}

/* Row 6. */
static void test_hard_link_to_lower_layer(void **state)
{
	struct fixture *f = *state;

	for (int flat = 0; flat < 2; flat++) {
		AUTO_FREE char *name = xstrfmt("row6-%d", flat);
		AUTO(ground) g = {0};
		AUTO(strbuf) lower = STRBUF_INIT;
		AUTO(strbuf) upper = STRBUF_INIT;
		struct stat a, b;

		ground_init(&g, f, name);
		g.o.flat = flat;
		tar_file(&lower, "a", flat ? "f" : "o");
		tar_link(&upper, '1', "b", "a");
		assert_ok(f, extract(&g, &lower, &f->err));
		if (!flat) {
			assert_fails(f, ERROR_UNSUPPORTED, "b is a hard link to a",
				     extract(&g, &upper, &f->err));
			continue;
		}
		assert_ok(f, extract(&g, &upper, &f->err));
		assert_int_equal(fstatat(g.fd, "a", &a, 0), 0);
		assert_int_equal(fstatat(g.fd, "b", &b, 0), 0);
		assert_int_equal(a.st_ino, b.st_ino);
	}
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	AUTO(ground) real = {0};
	AUTO(ground) none = {0};
	AUTO(ground) whiteout = {0};
	AUTO(strbuf) a = STRBUF_INIT;
	AUTO(strbuf) b = STRBUF_INIT;
	AUTO(strbuf) c = STRBUF_INIT;
	const struct tar_header null = {
		.name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3};
	struct stat st;

	ground_init(&none, f, "none");
	none.o.no_devices = true;
	tar_add(&b, null);
	assert_ok(f, extract(&none, &b, &f->err));
	assert_int_equal(fstatat(none.fd, "null", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0666);
	if (geteuid() != 0)
		return;
	ground_init(&real, f, "real");
	tar_add(&a, null);
	tar_file(&a, "x", "other bytes than the first");
	assert_ok(f, extract(&real, &a, &f->err));
	assert_int_equal(fstatat(real.fd, "null", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0666);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	ground_init(&whiteout, f, "whiteout");
	tar_add(&c, (struct tar_header){.name = "dev", .type = '3', .mode = 0666});
	assert_fails(f, ERROR_UNSUPPORTED, "0:0", extract(&whiteout, &c, &f->err));
}

/* Row 13: the index, the facts and the folder's content are for nothing when the diff ID is not the image's. */
static void test_identities(void **state)
{
	struct fixture *f = *state;
	AUTO(ground) g = {0};
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	AUTO_PTR(index_reader) r = NULL;
	struct digest diff, wrong = digest_of("w", 1), found;
	struct entry e;
	uint8_t sum[SHA256_SIZE];
	int64_t bytes;

	ground_init(&g, f, "out");
	tar_file(&tar, "f", "content");
	put_layer(f, &tar, &d, &diff);
	assert_fails(f, ERROR_CORRUPT, "diff ID",
		     layer_extract(f->store, &d, &wrong, g.fd, g.below, &g.o, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "", index_reader_open(&r, f->store, &wrong, &f->err));
	assert_ok(f, layer_extract(f->store, &d, &diff, g.fd, g.below, &g.o, &f->err));
	assert_ok(f, layer_meta_get(f->store, &d.digest, &found, &bytes, &f->err));
	assert_string_equal(found.text, diff.text);
	assert_ok(f, index_reader_open(&r, f->store, &diff, &f->err));
	assert_int_equal(index_reader_next(r, &e, &f->err), 1);
	sha256_buf("content", 7, sum);
	assert_memory_equal(e.content, sum, sizeof(sum));
	/* A second time, the index being there. */
	assert_ok(f, layer_extract(f->store, &d, &diff, g.fd, g.below, &g.o, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_overlay_form),
		store_test(test_flat_form),
		store_test(test_hard_link_to_lower_layer),
		store_test(test_devices),
		store_test(test_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
