#include "builder/copy.h"

#include "copy_fixture.h"
#include "key_sample.h"

/*
 * Random trees of few names and contents, so that one often spells another: hashes are equal exactly when the trees are,
 * whatever the times, the owners in a context, and the order in which they were made.
 */

static const char *const folders[] = {"d/a", "d/b", "d/ab", "d/a/b", "d/a/ab", "d/b/a"};
static const char *const names[] = {"a", "b", "ab", "f", "fa", "-"};
static const char *const texts[] = {"", "a", "b", "ab", "f", "fa", "|", "a|b"};
static const char types[] = "fflp";
static const unsigned modes[] = {0644, 0755, 0600, 04755};

enum { N_PLACES = ARRAY_SIZE(folders) + 1, MAX_ENTRIES = 16 };

/* Entries are kept in one order, made in another. */
struct tree_entry {
	int place; /* 0: d itself, else a folder + 1; -1: no entry */
	int name;  /* -1: the folder of that place itself */
	char type;
	unsigned mode;
	int text;
	unsigned uid, gid;
};

struct random_tree {
	struct tree_entry items[MAX_ENTRIES];
	size_t n;
};

static char *path_of(const struct tree_entry *e)
{
	const char *folder = e->place ? folders[e->place - 1] : "d";

	return e->name < 0 ? xstrdup(folder) : xstrfmt("%s/%s", folder, names[e->name]);
}

static bool has(const struct random_tree *t, const char *path, bool as_folder)
{
	for (size_t i = 0; i < t->n; i++) {
		AUTO_FREE char *other = path_of(&t->items[i]);

		if (strcmp(other, path) == 0 && (!as_folder || t->items[i].type == 'd'))
			return true;
	}
	return as_folder && strcmp(path, "d") == 0;
}

/* Only where its folder is there and its name is free. */
static void add_entry(struct random_tree *t, struct tree_entry e)
{
	AUTO_FREE char *path = path_of(&e);
	AUTO_FREE char *folder = path_dir(path);

	if (t->n < MAX_ENTRIES && !has(t, path, false) && has(t, folder, true))
		t->items[t->n++] = e;
}

static void roll_tree(struct dice *d, struct random_tree *t)
{
	size_t wanted = roll(d, 6);

	t->n = 0;
	for (int i = 0; i < (int)ARRAY_SIZE(folders); i++)
		if (roll(d, 3) == 0)
			add_entry(t, (struct tree_entry){.place = i + 1,
							 .name = -1,
							 .type = 'd',
							 .mode = roll(d, 2) ? 0755 : 0700,
							 .uid = (unsigned)roll(d, 2),
							 .gid = (unsigned)roll(d, 2)});
	for (size_t i = 0; i < wanted; i++) {
		struct tree_entry e = {
			.place = (int)roll(d, N_PLACES),
			.name = (int)roll(d, ARRAY_SIZE(names)),
			.type = types[roll(d, sizeof(types) - 1)],
			.mode = modes[roll(d, ARRAY_SIZE(modes))],
			.text = (int)roll(d, ARRAY_SIZE(texts)),
			.uid = (unsigned)roll(d, 2),
			.gid = (unsigned)roll(d, 2),
		};

		/* No link to nothing. */
		if (e.type == 'l' && !*texts[e.text])
			e.type = 'f';
		add_entry(t, e);
	}
}

/* Like the one before but for one thing, so that neighbours are near each other. */
static void change_tree(struct dice *d, struct random_tree *t)
{
	struct tree_entry *e = t->n ? &t->items[roll(d, t->n)] : NULL;

	if (!e || e->type == 'd')
		return;
	switch (roll(d, 4)) {
	case 0:
		e->mode = modes[roll(d, ARRAY_SIZE(modes))];
		break;
	case 1:
		e->text = (int)roll(d, ARRAY_SIZE(texts) - 1) + 1;
		break;
	case 2:
		e->uid = (unsigned)roll(d, 2);
		break;
	default:
		*e = t->items[--t->n];
		break;
	}
}

static void write_entry(struct strbuf *out, const struct tree_entry *e)
{
	AUTO_FREE char *path = path_of(e);

	strbuf_printf(out, "%c %o %u:%u %s", e->type, e->type == 'l' ? 0777 : e->mode, e->uid,
		      e->gid, path);
	if (e->type == 'f')
		strbuf_printf(out, "=%s", texts[e->text]);
	if (e->type == 'l')
		strbuf_printf(out, " -> %s", texts[e->text]);
	strbuf_putc(out, '\n');
}

/* Folders first, the outer before the inner; the rest from back to front or as it is. */
static void write_tree(struct strbuf *out, const struct random_tree *t, bool backward)
{
	strbuf_puts(out, "d 755 0:0 d\n");
	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].type == 'd')
			write_entry(out, &t->items[i]);
	for (size_t i = 0; i < t->n; i++) {
		const struct tree_entry *e = &t->items[backward ? t->n - 1 - i : i];

		if (e->type != 'd')
			write_entry(out, e);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What must count, in the order of the paths. */
static void write_notation(struct strbuf *out, const struct random_tree *t, bool mode_counts,
			   bool owner_counts)
{
	char *lines[MAX_ENTRIES];

	for (size_t i = 0; i < t->n; i++) {
		struct tree_entry e = t->items[i];
		AUTO_FREE char *path = path_of(&e);
		const char *text = e.type == 'f' || e.type == 'l' ? texts[e.text] : "";

		lines[i] = xstrfmt("%s <%c %o %u:%u %s>", path, e.type,
				   mode_counts && e.type != 'l' ? e.mode : 0,
				   owner_counts ? e.uid : 0, owner_counts ? e.gid : 0, text);
	}
	qsort(lines, t->n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < t->n; i++) {
		strbuf_printf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
}

/* Times, and where the test may, owners, at random. */
static void disturb(struct copy_fixture *f, const struct random_tree *t, struct dice *d)
{
	for (size_t i = 0; i < t->n; i++) {
		AUTO_FREE char *rel = path_of(&t->items[i]);
		AUTO_FREE char *path = xstrfmt("%s/context/%s", f->base.folder, rel);
		const struct timespec times[2] = {{.tv_sec = (time_t)roll(d, 1u << 30)},
						  {.tv_sec = (time_t)roll(d, 1u << 30),
						   .tv_nsec = (long)roll(d, 1000000000)}};

		/* That would take the setuid bit away. */
		if (geteuid() == 0 && !(t->items[i].mode & 07000))
			assert_int_equal(lchown(path, (uid_t)roll(d, 9), (gid_t)roll(d, 9)), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
	}
}

struct way {
	const char *line;
	bool mode_counts, from_image, owner_counts;
};

static void compute_tree(struct copy_fixture *f, const struct way *way, const struct random_tree *t,
			 struct dice *d, char hex[SHA256_HEX_SIZE])
{
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	AUTO(strbuf) text = STRBUF_INIT;

	write_tree(&text, t, roll(d, 2));
	if (way->from_image) {
		AUTO(test_image) image;

		test_image_init(&image, f, text.buf);
		copy_fixture_hash(f, way->line, &image, hex);
		return;
	}
	fs_remove_tree(AT_FDCWD, context, NULL);
	create_files(f, "context", text.buf);
	disturb(f, t, d);
	copy_fixture_hash(f, way->line, NULL, hex);
}

static void check(struct copy_fixture *f, const struct way *way, size_t count, uint64_t seed)
{
	struct dice dice = {.state = seed};
	struct sample sample = {.n = 0};
	struct random_tree tree;
	size_t n_equal;

	for (size_t i = 0; i < count; i++) {
		AUTO(strbuf) notation = STRBUF_INIT;
		char hex[SHA256_HEX_SIZE];

		if (i == 0 || roll(&dice, 3) == 0)
			roll_tree(&dice, &tree);
		else
			change_tree(&dice, &tree);
		compute_tree(f, way, &tree, &dice, hex);
		write_notation(&notation, &tree, way->mode_counts, way->owner_counts);
		sample_add(&sample, hex, &notation);
	}
	sample_check(&sample, &n_equal);
	assert_true(n_equal > count / 100);
	sample_release(&sample);
}

static void contexts(void **state)
{
	static const struct way plain = {"COPY d /x", .mode_counts = true};
	static const struct way chmod = {"COPY --chmod=644 d /x", .mode_counts = false};

	check(*state, &plain, sample_count(250, 20000), 911);
	check(*state, &chmod, sample_count(120, 10000), 1311);
}

static void images(void **state)
{
	static const struct way plain = {"COPY --from=s d /x", .mode_counts = true,
					 .from_image = true, .owner_counts = true};
	static const struct way chown = {"COPY --from=s --chown=1 d /x", .mode_counts = true,
					 .from_image = true};
	static const struct way both = {"COPY --from=s --chown=1 --chmod=644 d /x",
					.from_image = true};

	check(*state, &plain, sample_count(200, 10000), 870);
	check(*state, &chown, sample_count(100, 5000), 871);
	check(*state, &both, sample_count(100, 5000), 872);
}

int main(void)
{
	const struct CMUnitTest tests[] = {copy_test(contexts), copy_test(images)};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
