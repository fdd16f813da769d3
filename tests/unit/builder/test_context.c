#include "builder/context.h"

#include "copy_fixture.h"

#include <dirent.h>

#include "tests/unit/oci/tar_build.h"

/* The tar as a context. */
static int open_tar(struct copy_fixture *f, struct strbuf *tar, struct error *problem)
{
	AUTO_FREE char *path = path_join(f->base.folder, "in.tar");
	AUTO_FD int fd = -1;

	tar_end(tar);
	assert_ok(fs_write_file_atomic(path, tar->buf, tar->len, 0600, err));
	strbuf_reset(tar);
	fd = open(path, O_RDONLY);
	context_free(take_ptr(f->context));
	return context_open_tar(&f->context, f->base.store, fd, "standard input", problem);
}

/* The layer that "COPY . /x" makes of the fixture's context. */
static char *copy_all(struct copy_fixture *f, void (*each)(const struct entry *e))
{
	const struct copy_image nothing = {.tree = NULL};
	AUTO_PTR(context) context = take_ptr(f->context);
	AUTO(layer) layer = {.uncompressed = 0};
	AUTO(test_copy) c;

	test_copy_init(&c, f, "COPY . /x", "/", NULL);
	c.request.context = context;
	assert_ok(copy_layer(&c.request, &nothing, &plain_layer, &layer, err));
	return layer_text(f, &layer, each);
}

static size_t count_ingest(const struct copy_fixture *f)
{
	AUTO_FREE char *ingest = store_path(f->base.store, "ingest");
	DIR *d = opendir(ingest);
	size_t n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static int64_t times[32];
static size_t n_times;

static void note_time(const struct entry *e)
{
	assert_true(n_times < ARRAY_SIZE(times));
	times[n_times++] = e->mtime;
}

/* Modes and times are the tar's, rights of ours or not; owners are nobody's. */
static void keeps_what_the_tar_says(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *text = NULL;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar, (struct tar_header){.name = "./", .type = '5', .mode = 0500, .mtime = 10});
	tar_add(&tar, (struct tar_header){
			      .name = "./closed/", .type = '5', .mode = 0, .uid = 7, .mtime = 11});
	tar_add(&tar,
		(struct tar_header){.name = "./closed/f", .mode = 0200, .size = 1, .mtime = 12});
	tar_data(&tar, "1", 1);
	tar_link(&tar, '1', "hard", "closed/f");
	tar_add(&tar, (struct tar_header){.name = "implied/x/g", .mode = 04755, .mtime = 13});
	tar_add(&tar,
		(struct tar_header){.name = "link", .link = "implied", .type = '2', .mtime = 14});
	tar_add(&tar,
		(struct tar_header){.name = "link/d", .type = '5', .mode = 01777, .mtime = 15});
	tar_add(&tar, (struct tar_header){.name = "pipe", .type = '6', .mode = 0610, .mtime = 16});
	assert_ok(open_tar(f, &tar, err));
	assert_true(f->context->temporary);
	n_times = 0;
	text = copy_all(f, note_time);
	assert_string_equal(text, "d 755 0:0 x\n"
				  "d 0 0:0 x/closed\n"
				  "f 200 0:0 x/closed/f=1\n"
				  "h 200 0:0 x/hard => x/closed/f\n"
				  "d 755 0:0 x/implied\n"
				  "d 1777 0:0 x/implied/d\n"
				  "d 755 0:0 x/implied/x\n"
				  "f 4755 0:0 x/implied/x/g=\n"
				  "l 777 0:0 x/link -> implied\n"
				  "p 610 0:0 x/pipe\n");
	/* folders that the tar does not name are ours; hard links have their file's time */
	{
		const int64_t wanted[] = {FOLDER_MTIME, 11,           12, 12, FOLDER_MTIME,
					  15,           FOLDER_MTIME, 13, 14, 16};

		assert_int_equal(n_times, ARRAY_SIZE(wanted));
		for (size_t i = 0; i < n_times; i++)
			assert_int_equal(times[i], wanted[i]);
	}
	assert_int_equal(count_ingest(f), 0);
}

static void later_members_replace(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *text = NULL;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar, (struct tar_header){.name = "a", .type = '5', .mode = 0});
	tar_file(&tar, "a/b", "1");
	tar_file(&tar, "a", "2");
	tar_add(&tar, (struct tar_header){.name = "c", .mode = 0});
	tar_add(&tar, (struct tar_header){.name = "c", .type = '5', .mode = 0711});
	tar_add(&tar, (struct tar_header){.name = "d", .type = '5', .mode = 0700});
	tar_add(&tar, (struct tar_header){.name = "d", .type = '5', .mode = 0});
	assert_ok(open_tar(f, &tar, err));
	text = copy_all(f, NULL);
	assert_string_equal(text, "d 755 0:0 x\nf 644 0:0 x/a=2\nd 711 0:0 x/c\nd 0 0:0 x/d\n");
}

/* Members that want to get out stay in, or end it; nothing is left behind. */
static void stays_inside(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *outside = path_join(f->base.folder, "outside");
	AUTO_FREE char *text = NULL;
	AUTO(strbuf) tar = STRBUF_INIT;

	assert_ok(fs_mkdir_p(outside, 0755, err));
	tar_link(&tar, '2', "abs", outside);
	tar_file(&tar, "abs/in", "1");
	tar_link(&tar, '2', "up", "../../../..");
	tar_file(&tar, "up/top", "2");
	tar_file(&tar, "/etc/x", "3");
	assert_ok(open_tar(f, &tar, err));
	assert_int_equal(rmdir(outside), 0);
	text = copy_all(f, NULL);
	assert_non_null(strstr(text, "x/etc/x=3\n"));
	assert_non_null(strstr(text, "f 644 0:0 x/top=2\n"));
	assert_non_null(strstr(text, "/outside/in=1\n"));

	tar_file(&tar, "../up", "1");
	assert_error(open_tar(f, &tar, err), ERROR_CORRUPT,
		     "unpack the context from standard input");
	tar_link(&tar, '1', "hard", "/etc/passwd");
	assert_error(open_tar(f, &tar, err), ERROR_NOT_FOUND, "link hard to etc/passwd");
	tar_file(&tar, "fine", "1");
	tar_add(&tar, (struct tar_header){.name = "cut", .mode = 0644, .size = 100000});
	assert_error(open_tar(f, &tar, err), ERROR_CORRUPT, "the context archive");
	strbuf_puts(&tar, "FROM scratch\n");
	assert_error(open_tar(f, &tar, err), ERROR_CORRUPT, "not a valid tar archive");
	assert_int_equal(count_ingest(f), 0);
}

static void reads_its_ignore_file(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *text = NULL;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_file(&tar, ".dockerignore", "*\n!a\n");
	tar_file(&tar, "a", "1");
	tar_file(&tar, "b", "2");
	assert_ok(open_tar(f, &tar, err));
	text = copy_all(f, NULL);
	assert_string_equal(text, "d 755 0:0 x\nf 644 0:0 x/a=1\n");
}

static void devices_need_root(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) tar = STRBUF_INIT;

	tar_add(&tar, (struct tar_header){
			      .name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3});
	if (open_tar(f, &tar, &err) == 0) {
		AUTO_FREE char *text = copy_all(f, NULL);

		assert_string_equal(text, "d 755 0:0 x\nc 666 0:0 x/null 1:3\n");
		return;
	}
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "null is a device, which only root can unpack"));
}

static void folders_and_ignore_files(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *path = path_join(f->base.folder, "context");
	AUTO_FREE char *own = path_join(f->base.folder, "own.dockerignore");
	AUTO_FREE char *missing = path_join(f->base.folder, "missing");
	struct context *c = NULL;

	assert_error(context_open_folder(&c, "context", missing, NULL, err), ERROR_NOT_FOUND,
		     "missing");
	create_files(f, ".", "f 644 0:0 own.dockerignore=b");
	assert_error(context_open_folder(&c, "context", own, NULL, err), ERROR_SYSTEM,
		     "Not a directory");

	create_files(f, "context", "f 644 0:0 a=1");
	assert_ok(context_open_folder(&c, "context", path, NULL, err));
	assert_null(c->ignore);
	assert_string_equal(c->path, path);
	context_free(take_ptr(c));

	create_files(f, "context", "f 644 0:0 .dockerignore=a");
	assert_ok(context_open_folder(&c, "context", path, NULL, err));
	assert_true(ignore_match(c->ignore, "a", NULL));
	context_free(take_ptr(c));
	/* the Dockerfile's own one counts alone */
	assert_ok(context_open_folder(&c, "context", path, own, err));
	assert_false(ignore_match(c->ignore, "a", NULL));
	assert_true(ignore_match(c->ignore, "b", NULL));
	context_free(take_ptr(c));

	create_files(f, "context", "f 644 0:0 .dockerignore=x|!");
	assert_error(context_open_folder(&c, "context", path, NULL, err), ERROR_SYNTAX,
		     ".dockerignore:2");
	/* a link that leads out is read inside */
	create_files(f, "context2", "l 777 0:0 .dockerignore -> /etc/passwd");
	free(path);
	path = path_join(f->base.folder, "context2");
	assert_ok(context_open_folder(&c, "context", path, NULL, err));
	assert_null(c->ignore);
	context_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(keeps_what_the_tar_says),
		copy_test(later_members_replace),
		copy_test(stays_inside),
		copy_test(reads_its_ignore_file),
		copy_test(devices_need_root),
		copy_test(folders_and_ignore_files),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
