#include "registry/docker_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "registry/credential_helper.h"
#include "registry/docker_auths.h"

/* Links that lead to links: more is a loop. */
#define MAX_LINKS 40

/* *out stays NULL when there is no such file; *st is filled else. */
static int read_config(const char *path, json_t **out, struct stat *st, struct error *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	AUTO(strbuf) text = STRBUF_INIT;
	int rc;

	*out = NULL;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, st) < 0)
		return error_errno(err, "read the logins in %s", path);
	if (fs_read_fd(fd, path, &text, LIMIT_AUTH_FILE_BYTES, err) < 0)
		return -1;
	rc = docker_auths_parse(out, text.buf, text.len, path, err);
	wipe(text.buf, text.len);
	return rc;
}

static void warn_if_open(const struct docker_config_options *o, const char *path,
			 const struct stat *st)
{
	if (st->st_mode & 077)
		report_log(o->reporter, LOG_WARNING,
			   "%s holds passwords and others can read it (mode %04o): chmod 600 %s",
			   path, st->st_mode & 07777, path);
	else if (st->st_uid != geteuid())
		report_log(o->reporter, LOG_WARNING,
			   "%s holds passwords and belongs to another user (uid %u)", path,
			   (unsigned)st->st_uid);
}

/* Asks the helper under the first name, then under the others the host may have been stored by. */
static int ask_helper(const struct docker_config_options *o, const char *helper, const char *server,
		      const struct strlist *names, struct login *out, bool *found,
		      struct error *err)
{
	if (credential_helper_get(o, helper, server, out, found, err) < 0)
		return -1;
	for (size_t i = 0; i < names->n && i < 2 && !*found; i++) {
		if (strcmp(names->items[i], server) != 0 &&
		    credential_helper_get(o, helper, names->items[i], out, found, err) < 0)
			return -1;
	}
	return 0;
}

static int get_from_file(const struct docker_config_options *o, const char *path, const char *host,
			 const char *repository, struct login *out, bool *found, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_JSON *j = NULL;
	const char *helper, *server;
	struct stat st;

	if (read_config(path, &j, &st, err) < 0)
		return -1;
	if (!j)
		return 0;
	docker_auths_names(&names, host);
	if (docker_auths_helper(j, &names, path, &helper, &server, err) < 0)
		return -1;
	if (helper && ask_helper(o, helper, server, &names, out, found, err) < 0)
		return error_wrap(err, "credentials for %s, as %s says", host, path);
	if (*found)
		return 0;
	if (docker_auths_find(j, host, repository, path, out, found, err) < 0)
		return -1;
	if (*found)
		warn_if_open(o, path, &st);
	return 0;
}

int docker_config_get(const struct docker_config_options *o, const char *host,
		      const char *repository, struct login *out, bool *found, struct error *err)
{
	AUTO(login) l = {0};

	*found = false;
	for (size_t i = 0; o->files && i < o->files->n && !*found; i++) {
		if (get_from_file(o, o->files->items[i], host, repository, &l, found, err) < 0)
			return -1;
	}
	if (*found) {
		*out = l;
		l = (struct login){0};
	}
	return 0;
}

int docker_config_parse(const char *text, size_t len, const char *path, const char *host,
			const char *repository, struct login *out, bool *found, struct error *err)
{
	AUTO(login) l = {0};
	AUTO_JSON *j = NULL;

	*found = false;
	if (docker_auths_parse(&j, text, len, path, err) < 0 ||
	    docker_auths_find(j, host, repository, path, &l, found, err) < 0)
		return -1;
	if (*found) {
		*out = l;
		l = (struct login){0};
	}
	return 0;
}

/* Where a write to path must go so that a symbolic link stays one. free() */
static int final_target(const char *path, char **out, struct error *err)
{
	AUTO_FREE char *at = xstrdup(path);

	for (int i = 0; i < MAX_LINKS; i++) {
		char link[PATH_MAX];
		ssize_t n = readlink(at, link, sizeof(link) - 1);
		AUTO_FREE char *dir = NULL;
		char *next;

		if (n < 0) {
			*out = take_ptr(at);
			return 0;
		}
		link[n] = '\0';
		dir = path_dir(at);
		next = link[0] == '/' ? xstrdup(link) : path_join(dir, link);
		free(at);
		at = next;
	}
	return error_set(err, ERROR_SYSTEM, "%s: too many symbolic links", path);
}

static int write_config(const char *path, const json_t *j, struct error *err)
{
	AUTO_FREE char *target = NULL;
	AUTO_FREE char *dir = NULL;
	AUTO(strbuf) text = STRBUF_INIT;
	int rc;

	if (final_target(path, &target, err) < 0)
		return -1;
	dir = path_dir(target);
	if (fs_mkdir_p(dir, 0700, err) < 0)
		return -1;
	json_write_pretty(j, &text);
	rc = fs_write_file_atomic(target, text.buf, text.len, 0600, err);
	wipe(text.buf, text.len);
	return rc;
}

/* The first file's content (an empty object when it is missing) and the helper it names for host. */
static int open_first(const struct docker_config_options *o, const struct strlist *names,
		      json_t **out, const char **helper, const char **server, struct error *err)
{
	AUTO_JSON *j = NULL;
	struct stat st;

	if (!o->files || o->files->n == 0)
		return error_set(
			err, ERROR_USAGE,
			"no file is known where logins are kept: set HOME or DOCKER_CONFIG");
	if (read_config(o->files->items[0], &j, &st, err) < 0)
		return -1;
	if (!j)
		j = json_object();
	if (docker_auths_helper(j, names, o->files->items[0], helper, server, err) < 0)
		return -1;
	*out = take_ptr(j);
	return 0;
}

int docker_config_store(const struct docker_config_options *o, const char *host,
			const struct login *l, char **where, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE char *place = NULL;
	AUTO_JSON *j = NULL;
	const char *helper, *server;

	if (!l->identity_token && (!l->username || !l->password))
		return error_set(err, ERROR_USAGE, "a login has a user name and a password");
	if (!l->identity_token && strchr(l->username, ':'))
		return error_set(err, ERROR_USAGE, "a user name cannot have a colon");
	docker_auths_names(&names, host);
	if (open_first(o, &names, &j, &helper, &server, err) < 0)
		return -1;
	if (helper) {
		if (credential_helper_store(o, helper, server, l, err) < 0)
			return error_wrap(err, "store the login for %s, as %s says", host,
					  o->files->items[0]);
		place = xstrfmt("docker-credential-%s", helper);
	} else {
		place = xstrdup(o->files->items[0]);
	}
	docker_auths_remove(j, host);
	docker_auths_set(j, names.items[0], helper ? NULL : l);
	if (write_config(o->files->items[0], j, err) < 0)
		return error_wrap(err, "store the login for %s", host);
	*where = take_ptr(place);
	return 0;
}

/* Other files belong to other tools: they are left alone, but not silently. */
static int warn_of_others(const struct docker_config_options *o, const char *host,
			  struct error *err)
{
	for (size_t i = 1; i < o->files->n; i++) {
		AUTO(login) l = {0};
		AUTO_JSON *j = NULL;
		struct stat st;
		bool found = false;

		if (read_config(o->files->items[i], &j, &st, err) < 0)
			return -1;
		if (j && docker_auths_find(j, host, NULL, o->files->items[i], &l, &found, err) < 0)
			return -1;
		if (found)
			report_log(o->reporter, LOG_WARNING, "%s still has a login for %s",
				   o->files->items[i], host);
	}
	return 0;
}

int docker_config_erase(const struct docker_config_options *o, const char *host, bool *found,
			struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_JSON *j = NULL;
	const char *helper, *server;

	*found = false;
	docker_auths_names(&names, host);
	if (open_first(o, &names, &j, &helper, &server, err) < 0)
		return -1;
	if (helper && credential_helper_erase(o, helper, server, found, err) < 0)
		return error_wrap(err, "remove the login for %s", host);
	if (docker_auths_remove(j, host)) {
		*found = true;
		if (write_config(o->files->items[0], j, err) < 0)
			return error_wrap(err, "remove the login for %s", host);
	}
	return warn_of_others(o, host, err);
}
