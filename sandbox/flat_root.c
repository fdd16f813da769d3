#include "sandbox/flat_root.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "sandbox/helper.h"

/* Stages that run at the same time have one each; more would only fill the disk. */
#define MAX_KEPT 4

void flat_root_free(struct flat_root *root)
{
	if (!root)
		return;
	run_folder_close(&root->folder, root->sb, false);
	free(root->path);
	free(root->record);
	free(root);
}

void flat_roots_end(struct sandbox *sb)
{
	while (sb->flat_roots) {
		struct flat_root *root = sb->flat_roots;

		sb->flat_roots = root->next;
		flat_root_free(root);
	}
}

void flat_root_keep(struct flat_root *root, const struct digest *chain)
{
	struct sandbox *sb = root->sb;
	struct flat_root *last = NULL;
	size_t n = 0;

	root->chain = *chain;
	pthread_mutex_lock(&sb->lock);
	root->next = sb->flat_roots;
	sb->flat_roots = root;
	for (struct flat_root **at = &sb->flat_roots; *at && !last; at = &(*at)->next)
		if (++n == MAX_KEPT && (*at)->next)
			last = take_ptr((*at)->next);
	pthread_mutex_unlock(&sb->lock);
	flat_root_free(last);
}

/* The kept root that has most of the layers; *first: how many. */
static struct flat_root *take_kept(struct sandbox *sb, enum sandbox_mode mode, size_t n,
				   const struct digest *chains, size_t *first)
{
	struct flat_root *found = NULL;

	pthread_mutex_lock(&sb->lock);
	for (*first = n; *first > 0 && !found; --*first)
		for (struct flat_root **at = &sb->flat_roots; *at; at = &(*at)->next)
			if ((*at)->mode == mode &&
			    digest_equal(&(*at)->chain, &chains[*first - 1])) {
				found = *at;
				*at = found->next;
				break;
			}
	pthread_mutex_unlock(&sb->lock);
	*first += found != NULL;
	return found;
}

static int make(struct flat_root **out, struct sandbox *sb, enum sandbox_mode mode,
		struct error *err)
{
	AUTO_PTR(flat_root) root = xcalloc(1, sizeof(*root));

	root->sb = sb;
	root->mode = mode;
	root->folder = (struct run_folder)RUN_FOLDER_INIT;
	if (run_folder_open(&root->folder, sb, err) < 0)
		return -1;
	root->path = xstrfmt("%s/root", root->folder.path);
	root->record = xstrfmt("%s/record", root->folder.path);
	*out = take_ptr(root);
	return 0;
}

int flat_root_open(struct flat_root **out, struct sandbox *sb, enum sandbox_mode mode,
		   const struct rootfs_layer *layers, size_t n, const struct digest *chains,
		   struct error *err)
{
	AUTO(tree_cache) cache = {0};
	AUTO_PTR(flat_root) root = NULL;
	struct extract_job job = {.mode = mode, .layers = layers, .n = n, .flat = true};
	bool made;

	root = take_kept(sb, mode, n, chains, &job.first);
	made = !root;
	if (made && make(&root, sb, mode, err) < 0)
		return -1;
	job.dir = root->path;
	if (made || job.first < n) {
		if (helper_extract(sb, &cache, &job, err) < 0 ||
		    helper_record(sb, mode, root->path, root->record, err) < 0)
			return error_wrap(err, "make the root of a step");
	}
	*out = take_ptr(root);
	return 0;
}
