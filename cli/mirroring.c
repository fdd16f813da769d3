#include "cli/mirroring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/strbuf.h"

#define SYSTEM_FOLDER "/etc/containers"

/* *found (NULL: the file must be there): whether there is one. */
static int read_file(struct mirrors *m, const char *path, bool *found, struct error *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	AUTO(strbuf) text = STRBUF_INIT;

	if (found)
		*found = fd >= 0;
	if (fd < 0 && found && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (fd < 0)
		return error_errno(err, "read %s", path);
	if (fs_read_fd(fd, path, &text, LIMIT_AUTH_FILE_BYTES, err) < 0)
		return -1;
	return mirrors_parse(m, text.buf, text.len, path, err);
}

static int read_folder(struct mirrors *m, const char *folder, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool found;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (str_ends(entry->d_name, ".conf"))
			strlist_addf(&names, "%s/%s", folder, entry->d_name);
	closedir(dir);
	strlist_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		if (read_file(m, names.items[i], &found, err) < 0)
			return -1;
	return 0;
}

static int read_usual(struct mirrors *m, const struct environment *e, struct error *err)
{
	AUTO_FREE char *own = xstrfmt("%s/.config/containers/registries.conf", e->home);
	AUTO_FREE char *own_folder = xstrfmt("%s.d", own);
	bool found;

	if (read_file(m, own, &found, err) < 0 ||
	    (!found && read_file(m, SYSTEM_FOLDER "/registries.conf", &found, err) < 0) ||
	    read_folder(m, SYSTEM_FOLDER "/registries.conf.d", err) < 0)
		return -1;
	return read_folder(m, own_folder, err);
}

int mirroring_read(struct mirrors **out, const struct environment *e, const struct strlist *options,
		   struct error *err)
{
	const char *given = environment_get(e, "CONTAINERS_REGISTRIES_CONF");
	AUTO_PTR(mirrors) m = mirrors_new();

	if (given && *given) {
		if (read_file(m, given, NULL, err) < 0)
			return -1;
		if (mirrors_search_list(m))
			return error_set(err, ERROR_UNSUPPORTED,
					 "%s: unqualified-search-registries is not supported: a "
					 "name without a host is docker.io's, and nobody else's",
					 mirrors_search_list(m));
	} else if (read_usual(m, e, err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < options->n; i++)
		if (mirrors_add(m, options->items[i], err) < 0)
			return -1;
	*out = mirrors_any(m) ? take_ptr(m) : NULL;
	return 0;
}
