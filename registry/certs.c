#include "registry/certs.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"

static void list_folder(const char *folder, struct strlist *names)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		strlist_add(names, entry->d_name);
	closedir(dir);
	strlist_sort(names);
}

static void read_folder(const char *folder, struct strlist *ca_files, char **cert, char **key)
{
	AUTO(strlist) names = STRLIST_INIT;

	list_folder(folder, &names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.items[i];
		AUTO_FREE char *found = NULL;

		if (str_ends(name, ".crt")) {
			strlist_addf(ca_files, "%s/%s", folder, name);
		} else if (str_ends(name, ".cert") && !*cert) {
			found = xstrfmt("%s/%.*s.key", folder, (int)strlen(name) - 5, name);
			if (access(found, R_OK) == 0) {
				*key = take_ptr(found);
				*cert = xstrfmt("%s/%s", folder, name);
			}
		}
	}
}

void certs_find(const struct strlist *dirs, const char *name, const char *other_name,
		struct strlist *ca_files, char **client_cert, char **client_key)
{
	/* A host comes from a name or a URL: neither can lead out of the folder, and neither may be tried. */
	if (strchr(name, '/') || strchr(other_name, '/') || name[0] == '.' || other_name[0] == '.')
		return;
	for (size_t i = 0; dirs && i < dirs->n; i++) {
		AUTO_FREE char *folder = xstrfmt("%s/%s", dirs->items[i], name);
		AUTO_FREE char *other = xstrfmt("%s/%s", dirs->items[i], other_name);

		read_folder(folder, ca_files, client_cert, client_key);
		if (strcmp(name, other_name) != 0)
			read_folder(other, ca_files, client_cert, client_key);
	}
}
