#include "builder/copy_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "dockerfile/words.h"

/* Of a folder with more names none is looked for. */
#define MAX_NAMES 5000

void copy_list_names(const struct copy_request *r, const char *dir, struct strlist *names)
{
	struct tree_node *node;
	struct dirent *entry;
	DIR *d;
	int fd;

	if (r->from) {
		node = tree_lookup(r->from->tree, dir, true);
		bool is_dir = node && node->type == ENTRY_DIR;

		for (uint32_t i = 0; is_dir && i < node->folder.n_children; i++)
			strlist_add(names, node->folder.children[i]->name);
		return;
	}
	fd = fs_openat_in_root(r->context->dirfd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY, 0);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(names, entry->d_name);
	closedir(d);
	strlist_sort(names);
}

static bool find_entry(const struct copy_request *r, const char *path, bool follow, bool *is_dir)
{
	struct tree_node *node;
	struct stat st;
	AUTO_FD int fd = -1;

	if (r->from) {
		node = tree_lookup(r->from->tree, path, follow);
		*is_dir = node && node->type == ENTRY_DIR;
		return node != NULL;
	}
	fd = fs_openat_in_root(r->context->dirfd, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*is_dir = S_ISDIR(st.st_mode);
	return true;
}

bool copy_is_folder(const struct copy_request *r, const char *path)
{
	bool is_dir = false;

	return find_entry(r, path, false, &is_dir) && is_dir;
}

static bool leads_to_folder(const struct copy_request *r, const char *path)
{
	bool is_dir = false;

	return find_entry(r, path, true, &is_dir) && is_dir;
}

static char *join(const char *dir, const char *name)
{
	return *dir ? path_join(dir, name) : xstrdup(name);
}

/* Is there something at path that a build would get? */
static bool is_offered(const struct copy_request *r, const char *path)
{
	bool is_dir;

	return find_entry(r, path, true, &is_dir) &&
	       (r->from || !ignore_match(r->context->ignore, path, NULL));
}

/* The name in dir nearest to a wrong one, with the rest of the path when that leads somewhere. */
static char *near_in(const struct copy_request *r, const char *dir, const char *name,
		     const char *rest)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE char *folder = NULL, *whole = NULL;
	const char *near;

	copy_list_names(r, dir, &names);
	if (names.n > MAX_NAMES)
		return NULL;
	for (size_t i = names.n; i-- > 0;) {
		AUTO_FREE char *path = join(dir, names.items[i]);

		if (!is_offered(r, path))
			strlist_remove(&names, i);
	}
	near = word_suggest_near(name, (const char *const *)names.items, names.n);
	if (!near)
		return NULL;
	folder = join(dir, near);
	whole = *rest ? path_join(folder, rest) : NULL;
	return whole && is_offered(r, whole) ? take_ptr(whole) : take_ptr(folder);
}

static char *one_folder_down(const struct copy_request *r, const char *path)
{
	AUTO(strlist) names = STRLIST_INIT;

	copy_list_names(r, "", &names);
	for (size_t i = 0; names.n <= MAX_NAMES && i < names.n; i++) {
		AUTO_FREE char *inner = path_join(names.items[i], path);

		if (leads_to_folder(r, names.items[i]) && is_offered(r, inner))
			return take_ptr(inner);
	}
	return NULL;
}

char *copy_near_path(const struct copy_request *r, const char *path)
{
	AUTO_FREE char *dir = xstrdup("");
	char *found = NULL;

	while (*path) {
		size_t len = strcspn(path, "/");
		AUTO_FREE char *name = xstrndup(path, len);
		const char *rest = path + len + (path[len] == '/');
		AUTO_FREE char *inner = join(dir, name);

		if (!leads_to_folder(r, inner)) {
			found = near_in(r, dir, name, rest);
			if (!found && !*dir)
				found = one_folder_down(r, path);
			break;
		}
		free(dir);
		dir = take_ptr(inner);
		path = rest;
	}
	return found;
}
