#include "deploy/image_facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "deploy/image_look.h"
#include "oci/layer_index.h"

/* What docker sets when an image has no PATH. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Beyond it a file is no script. */
#define SCRIPT_BYTES (256u << 10)

struct look {
	struct store *store;
	struct tree *tree;
	const struct image *image;
	const struct image_overrides *instead;
};

void image_facts_release(struct image_facts *f)
{
	free(f->program.name);
	free(f->program.path);
	free(f->program.interpreter);
	*f = (struct image_facts){.config = NULL};
}

/* The first word that runs; NULL: there is none. A task's entrypoint drops the image's command, as docker's --entrypoint does. */
static const char *first_word(const struct look *k)
{
	const struct image_config *config = &k->image->config;
	const struct strlist *entry = k->instead->entrypoint ? k->instead->entrypoint
							     : &config->entrypoint;
	const struct strlist *command = k->instead->command      ? k->instead->command
					: k->instead->entrypoint ? NULL
								 : &config->cmd;

	if (entry->n)
		return entry->items[0];
	return command && command->n ? command->items[0] : NULL;
}

static bool is_executable(const struct tree_node *n)
{
	return n->type == ENTRY_FILE && (n->mode & 0111);
}

/* A name without "/" is looked for on PATH; the first that can run is it. *near: one that is there and cannot. */
static struct tree_node *search_path(const struct look *k, const char *name, char **path,
				     struct tree_node **near, char **near_path)
{
	const char *env = k->instead->path ? k->instead->path
					   : image_config_get_env(&k->image->config, "PATH");
	AUTO(strlist) folders = STRLIST_INIT;

	strlist_split(&folders, env && *env ? env : DEFAULT_PATH, ':');
	for (size_t i = 0; i < folders.n; i++) {
		AUTO_FREE char *file = path_resolve(folders.items[i], name);
		struct tree_node *node = tree_lookup(k->tree, file, true);

		if (node && is_executable(node)) {
			*path = take_ptr(file);
			return node;
		}
		if (node && node->type == ENTRY_FILE && !*near) {
			*near = node;
			*near_path = take_ptr(file);
		}
	}
	return NULL;
}

static struct tree_node *find_program(const struct look *k, struct image_program *p)
{
	const char *dir = k->instead->working_dir ? k->instead->working_dir
						  : k->image->config.working_dir;
	struct tree_node *node, *near = NULL;
	AUTO_FREE char *near_path = NULL;

	if (!strchr(p->name, '/')) {
		node = search_path(k, p->name, &p->path, &near, &near_path);
		if (!node && near)
			p->path = take_ptr(near_path);
		return node ? node : near;
	}
	p->path = path_resolve(dir && *dir ? dir : "/", p->name);
	node = tree_lookup(k->tree, p->path, true);
	if (!node) {
		free(p->path);
		p->path = NULL;
	}
	return node;
}

/* "#!/usr/bin/env python3": the file, and what env looks for, have to be there. */
static void check_interpreter(const struct look *k, struct image_program *p, const char *line)
{
	AUTO_FREE char *first = xstrndup(line, strcspn(line, "\n"));
	char *rest = first + strspn(first, " \t"), *end = rest + strcspn(rest, " \t\r");
	struct tree_node *near = NULL;
	AUTO_FREE char *found = NULL;
	AUTO_FREE char *near_path = NULL;
	const char *word;
	size_t len;

	p->crlf = strchr(first, '\r') != NULL;
	word = end + strspn(end, " \t");
	if (*end)
		*end = '\0';
	if (*rest != '/')
		return;
	if (!tree_lookup(k->tree, rest, true)) {
		p->interpreter = xstrdup(rest);
		return;
	}
	len = strcspn(word, " \t\r");
	if (strcmp(path_base(rest), "env") == 0 && word > end && len && *word != '-' &&
	    !memchr(word, '=', len)) {
		AUTO_FREE char *name = xstrndup(word, len);

		if (!strchr(name, '/') && !search_path(k, name, &found, &near, &near_path))
			p->interpreter = take_ptr(name);
	}
}

static int look_at_program(const struct look *k, struct image_program *p, struct error *err)
{
	const char *word = first_word(k);
	AUTO(strbuf) text = STRBUF_INIT;
	struct tree_node *node;
	int found;

	p->state = PROGRAM_NONE;
	if (!word || !*word)
		return 0;
	p->name = xstrdup(word);
	node = find_program(k, p);
	p->state = !node                  ? PROGRAM_MISSING
		   : !is_executable(node) ? PROGRAM_NOT_EXECUTABLE
					  : PROGRAM_OK;
	if (p->state != PROGRAM_OK)
		return 0;
	found = image_look_file(k->store, k->tree, k->image, 0, p->path, SCRIPT_BYTES, &text, err);
	if (found > 0 && str_starts(text.buf, "#!"))
		check_interpreter(k, p, text.buf + 2);
	return found < 0 ? -1 : 0;
}

/* "name", "name:group", a number: only names can be missing. Unknown passwd counts as known: nothing is told then. */
static int look_at_user(const struct look *k, bool *known, struct error *err)
{
	const char *user = k->instead->user ? k->instead->user : k->image->config.user;
	AUTO(strbuf) text = STRBUF_INIT;
	size_t len = user ? strcspn(user, ":") : 0;
	const struct tree_node *passwd = tree_lookup(k->tree, "etc/passwd", true);
	int found;

	*known = true;
	if (!len || strspn(user, "0123456789") >= len ||
	    (len == 4 && strncmp(user, "root", 4) == 0))
		return 0;
	found = image_look_file(k->store, k->tree, k->image, 0, "etc/passwd", LIMIT_PASSWD_BYTES,
				&text, err);
	if (found < 0)
		return -1;
	if (!found) {
		*known = passwd != NULL;
		return 0;
	}
	*known = false;
	for (const char *line = text.buf; *line && !*known;) {
		const char *end = strchrnul(line, '\n');

		*known = strncmp(line, user, len) == 0 && line[len] == ':';
		line = *end ? end + 1 : end;
	}
	return 0;
}

/* What the files of a layer take once they are unpacked. */
static int add_layer_bytes(struct store *s, const struct digest *diff_id, int64_t *sum,
			   struct error *err)
{
	AUTO_PTR(index_reader) r = NULL;
	struct entry e;
	int more;

	if (index_reader_open(&r, s, diff_id, err) < 0)
		return -1;
	while ((more = index_reader_next(r, &e, err)) > 0)
		if (e.type == ENTRY_FILE)
			*sum += e.size;
	return more;
}

static int look_at_sizes(const struct look *k, struct image_facts *f, struct error *err)
{
	f->uncompressed = 0;
	for (size_t i = 0; i < k->image->config.n_diff_ids; i++)
		if (add_layer_bytes(k->store, &k->image->config.diff_ids[i], &f->uncompressed,
				    err) < 0)
			return -1;
	return 0;
}

int image_facts_read(struct image_facts *out, struct store *s, const struct image *image,
		     const struct image_overrides *instead, struct error *err)
{
	AUTO_PTR(tree) tree = NULL;
	AUTO(image_facts)
	f = {.config = &image->config, .uncompressed = -1, .user_known = true, .has_shell = true};
	struct look k = {.store = s, .image = image, .instead = instead};

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		f.compressed += image->manifest.layers[i].size;
	if (image_look_tree(&tree, s, image, 0, err) < 0)
		return -1;
	k.tree = tree;
	if (tree) {
		const struct tree_node *shell = tree_lookup(tree, "bin/sh", true);

		f.tree_known = true;
		f.has_shell = shell && is_executable(shell);
		if (look_at_program(&k, &f.program, err) < 0 ||
		    look_at_user(&k, &f.user_known, err) < 0 || look_at_sizes(&k, &f, err) < 0)
			return -1;
	} else if (!first_word(&k)) {
		f.program.state = PROGRAM_NONE;
	}
	*out = f;
	f = (struct image_facts){.config = NULL};
	return 0;
}
