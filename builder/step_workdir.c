#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "builder/history.h"
#include "builder/layer_step.h"
#include "builder/steps.h"
#include "builder/users.h"

struct workdir_step {
	struct layer_step step;
	char *path;
};

static int workdir_key(struct layer_step *s, struct step_key *k, struct error *err)
{
	const struct workdir_step *w = (const struct workdir_step *)s;

	(void)err;
	plan_workdir(k, w->path, s->stage->config.user, s->stage->build->folder_mtime);
	return 0;
}

/* NULL-terminated text in out; NULL when the image has no such file. */
static int read_names(struct stack *k, const char *path, struct strbuf *out, const char **text,
		      struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (stack_read_file(k, path, LIMIT_PASSWD_BYTES, out, &local) == 0)
		*text = out->buf;
	else if (local.kind == ERROR_NOT_FOUND)
		*text = NULL;
	else
		return error_move(err, &local);
	return 0;
}

/* USER owns the folder (dockerfile.md 11). */
static int find_owner(struct stage *st, struct user_ids *ids, struct error *err)
{
	AUTO(strbuf) passwd_text = STRBUF_INIT;
	AUTO(strbuf) group_text = STRBUF_INIT;
	const char *user = st->config.user, *passwd, *group;

	*ids = (struct user_ids){0, 0};
	if (!user || !*user)
		return 0;
	if (read_names(&st->stack, "etc/passwd", &passwd_text, &passwd, err) < 0 ||
	    read_names(&st->stack, "etc/group", &group_text, &group, err) < 0)
		return -1;
	return users_resolve(ids, user, passwd, group, err);
}

/* An entry for each folder on the way; those that are there keep what they are. */
static int add_folders(struct layer_writer *w, struct tree *tree, const char *real,
		       const struct user_ids *owner, int64_t mtime, struct error *err)
{
	for (const char *p = real; *p;) {
		size_t len = (size_t)(strchrnul(p, '/') - real);
		AUTO_FREE char *path = xstrndup(real, len);
		const struct tree_node *node = tree_lookup(tree, path, false);
		struct entry e = {
			.type = ENTRY_DIR,
			.path = path,
			.mode = 0755,
			.uid = owner->uid,
			.gid = owner->gid,
			.mtime = mtime,
		};

		if (node)
			tree_entry(node, path, &e);
		if (layer_writer_add(w, &e, NULL, err) < 0)
			return -1;
		p = real + len + (real[len] == '/');
	}
	return 0;
}

static int workdir_make(struct layer_step *s, struct layer *out, struct error *err)
{
	const struct workdir_step *step = (const struct workdir_step *)s;
	struct stage *st = s->stage;
	AUTO_PTR(layer_writer) w = NULL;
	AUTO_FREE char *real = NULL;
	struct user_ids owner;
	struct tree_node *node;
	struct tree *tree;

	if (stack_tree(&st->stack, &tree, err) < 0 ||
	    tree_resolve(tree, step->path, true, &real, &node, err) < 0)
		return -1;
	if (node && node->type != ENTRY_DIR) {
		error_set(err, ERROR_SYNTAX, "cannot make the folder %s: a file is there",
			  step->path);
		return instruction_error_at(err, s->ins, s->ins->value);
	}
	if ((!node && find_owner(st, &owner, err) < 0) ||
	    layer_writer_open(&w, st->build->store, &st->build->layer_options, err) < 0)
		return -1;
	if (!node && add_folders(w, tree, real, &owner, st->build->folder_mtime, err) < 0)
		return -1;
	return layer_writer_finish(w, out, err);
}

static const struct layer_step_ops workdir_ops = {
	.kind = "workdir",
	.key = workdir_key,
	.make = workdir_make,
};

static void set_working_dir(struct stage *st, const char *path)
{
	free(st->config.working_dir);
	st->config.working_dir = xstrdup(path);
}

int step_workdir(struct stage *st, const struct instruction *ins, struct error *err)
{
	AUTO_FREE char *path = path_resolve(stage_working_dir(st), ins->value);
	struct workdir_step w = {.step = LAYER_STEP_INIT(st, ins), .path = path};
	int result = 0;

	history_value(&w.step.history, ins, path);
	if (strcmp(path, "/") == 0)
		stage_add_history(st, w.step.history.buf);
	else
		result = layer_step_execute(&w.step, &workdir_ops, err);
	if (result == 0)
		set_working_dir(st, path);
	layer_step_release(&w.step);
	return result;
}
