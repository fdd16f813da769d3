/* COPY and ADD as rows: a context, an image below, the line, and the layer that it makes, or the error. */
#pragma once

#include "copy_text.h"

/* A base with merged /usr, links that lead away, and users. */
#define MERGED_USR                                                \
	"d 755 0:0 etc\n"                                         \
	"f 644 0:0 etc/conf=old\n"                                \
	"f 644 0:0 etc/group=root:x:0:|staff:x:50:\n"             \
	"f 644 0:0 etc/passwd=root:x:0:0:::|app:x:1000:2000:::\n" \
	"l 777 0:0 etc/dangling -> /made/by/copy\n"               \
	"l 777 0:0 etc/link -> conf\n"                            \
	"l 777 0:0 lib -> usr/lib\n"                              \
	"l 777 0:0 loop -> loop\n"                                \
	"d 755 0:0 opt\n"                                         \
	"d 700 7:8 opt/app\n"                                     \
	"f 644 0:0 opt/app/a=old\n"                               \
	"d 711 7:8 opt/app/sub\n"                                 \
	"l 777 0:0 opt/to-app -> app\n"                           \
	"d 755 0:0 run\n"                                         \
	"d 755 0:0 usr\n"                                         \
	"d 755 0:0 usr/lib\n"                                     \
	"d 755 0:0 var\n"                                         \
	"l 777 0:0 var/run -> /run\n"

/* A COPY or ADD ready to run. */
struct test_copy {
	struct dockerfile *file;
	struct instruction ins;
	struct copy_request request;
};

/* from: NULL, or the image of --from. The context is "context" of the fixture, opened afresh. */
static inline void test_copy_init(struct test_copy *c, struct copy_fixture *f, const char *line,
				  const char *working_dir, const struct test_image *from)
{
	AUTO_FREE char *path = path_join(f->base.folder, "context");

	*c = (struct test_copy){.file = parse_stage(line)};
	expand_first(&c->ins, c->file);
	context_free(take_ptr(f->context));
	stat_cache_free(take_ptr(f->stats));
	create_files(f, "context", "");
	assert_ok(context_open_folder(&f->context, "context", path, NULL, err));
	assert_ok(stat_cache_open(&f->stats, f->base.store, NULL, err));
	c->request = (struct copy_request){
		.instruction = &c->ins,
		.is_add = c->ins.kind == INSTRUCTION_ADD,
		.working_dir = working_dir ? working_dir : "/",
		.store = f->base.store,
		.reporter = &f->reporter,
		.context = from ? NULL : f->context,
		.stat_cache = from ? NULL : f->stats,
		.from = from ? &from->view : NULL,
		.folder_mtime = FOLDER_MTIME,
	};
}

static inline void test_copy_release(struct test_copy *c)
{
	instruction_release(&c->ins);
	dockerfile_free(c->file);
}

CLEANUP_RELEASE(test_copy)

static const struct layer_options plain_layer = {.compression = COMPRESSION_NONE,
						 .mtime_limit = -1};

/* Both passes, as a build goes; the layer's text. */
static inline int run_copy(struct copy_fixture *f, struct test_copy *c,
			   const struct test_image *below, char **text, struct error *err)
{
	const struct copy_image nothing = {.tree = NULL};
	AUTO(sha256) hash = SHA256_INIT;
	AUTO(layer) layer = {.uncompressed = 0};
	char hex[SHA256_HEX_SIZE];

	sha256_init(&hash);
	if (copy_hash(&c->request, &hash, err) < 0 ||
	    copy_layer(&c->request, below ? &below->view : &nothing, &plain_layer, &layer, err) < 0)
		return -1;
	sha256_final_hex(&hash, hex);
	*text = layer_text(f, &layer, NULL);
	return 0;
}

struct copy_row {
	const char *files; /* of the context */
	const char *below; /* image that the layer lies on; NULL: scratch */
	const char *from;  /* image of --from */
	const char *line;
	const char *working_dir;
	const char *wanted; /* the layer, or NULL: */
	const char *error;  /* part of the message */
	enum error_kind kind;
};

/* What is wrong with the outcome, or NULL; free() */
static inline char *judge(const struct copy_row *row, int result, const char *text,
			  const struct error *err)
{
	if (row->wanted && result < 0)
		return xstrdup(err->message);
	if (row->wanted)
		return strcmp(text, row->wanted) == 0
			       ? NULL
			       : xstrfmt("gives\n%s--- wanted:\n%s", text, row->wanted);
	if (result == 0)
		return xstrfmt("no error, but\n%s", text);
	if (!strstr(err->message, row->error))
		return xstrfmt("\"%s\" does not hold \"%s\"", err->message, row->error);
	return err->kind == row->kind ? NULL : xstrfmt("error of kind %d", (int)err->kind);
}

/* The key's view of the sources of one line. */
static inline void copy_fixture_hash(struct copy_fixture *f, const char *line,
				     const struct test_image *from, char hex[SHA256_HEX_SIZE])
{
	AUTO(sha256) h = SHA256_INIT;
	AUTO(test_copy) c;

	test_copy_init(&c, f, line, "/", from);
	sha256_init(&h);
	assert_ok(copy_hash(&c.request, &h, err));
	sha256_final_hex(&h, hex);
}

static inline bool check_row(struct copy_fixture *f, const struct copy_row *row)
{
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	AUTO(test_image) below, from;
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *wrong = NULL;
	AUTO_FREE char *text = NULL;
	AUTO(test_copy) c;
	int result;

	fs_remove_tree(AT_FDCWD, context, NULL);
	create_files(f, "context", row->files);
	test_image_init(&below, f, row->below);
	test_image_init(&from, f, row->from);
	test_copy_init(&c, f, row->line, row->working_dir, row->from ? &from : NULL);
	result = run_copy(f, &c, row->below ? &below : NULL, &text, &err);
	wrong = judge(row, result, text, &err);
	if (wrong)
		print_error("%s: %s\n", row->line, wrong);
	return !wrong;
}

#define check_rows(f, rows)                                      \
	do {                                                     \
		size_t wrong_ = 0;                               \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(rows); i_++) \
			wrong_ += !check_row((f), &(rows)[i_]);  \
		assert_int_equal(wrong_, 0);                     \
	} while (0)
