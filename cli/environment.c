#include "cli/environment.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"

const char *environment_get(const struct environment *e, const char *name)
{
	size_t n = strlen(name);

	for (char **p = e->envp; p && *p; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}

/* The value, or NULL when unset or empty. */
static const char *get_set(const struct environment *e, const char *name)
{
	const char *value = environment_get(e, name);

	return value && *value ? value : NULL;
}

/* Milliseconds up to an hour, 0 for anything else. */
static int get_ms(const struct environment *e, const char *name)
{
	const char *value = get_set(e, name);
	long ms = value ? strtol(value, NULL, 10) : 0;

	return ms > 0 && ms <= 3600000 ? (int)ms : 0;
}

static char *state_folder(const struct environment *e)
{
	const char *root = get_set(e, "SLIPWAY_ROOT");
	const char *data = get_set(e, "XDG_DATA_HOME");

	if (root && !path_is_absolute(root)) {
		AUTO_FREE char *cwd = getcwd(NULL, 0);

		return path_resolve(cwd ? cwd : "/", root);
	}
	if (root)
		return path_clean(root);
	if (geteuid() == 0)
		return xstrdup("/var/lib/slipway");
	if (data)
		return path_join(data, "slipway");
	return path_join(e->home, ".local/share/slipway");
}

/* HOME; without it what passwd(5) says, read here since the static program has no name service. free() */
static char *find_home(struct environment *e)
{
	char *home = xstrdup_null(get_set(e, "HOME"));
	FILE *f = home ? NULL : fopen("/etc/passwd", "re");
	struct passwd *p;

	while (f && !home && (p = fgetpwent(f)))
		if (p->pw_uid == geteuid() && p->pw_dir[0] == '/')
			home = xstrdup(p->pw_dir);
	if (f)
		fclose(f);
	return home ? home : xstrdup(geteuid() == 0 ? "/root" : "/");
}

static void find_auth_files(struct environment *e)
{
	static const char *const explicit[] = {"SLIPWAY_AUTH_FILE", "REGISTRY_AUTH_FILE"};
	const char *dir;

	for (size_t i = 0; i < ARRAY_SIZE(explicit); i++) {
		const char *file = get_set(e, explicit[i]);

		if (file)
			strlist_add(&e->auth_files, file);
	}
	dir = get_set(e, "DOCKER_CONFIG");
	if (dir)
		strlist_addf(&e->auth_files, "%s/config.json", dir);
	else
		strlist_addf(&e->auth_files, "%s/.docker/config.json", e->home);
	dir = get_set(e, "XDG_RUNTIME_DIR");
	if (dir)
		strlist_addf(&e->auth_files, "%s/containers/auth.json", dir);
	else
		strlist_addf(&e->auth_files, "/run/containers/%u/auth.json",
			     (unsigned int)geteuid());
	dir = get_set(e, "XDG_CONFIG_HOME");
	if (dir)
		strlist_addf(&e->auth_files, "%s/containers/auth.json", dir);
	else
		strlist_addf(&e->auth_files, "%s/.config/containers/auth.json", e->home);
}

static void find_proxies(struct environment *e)
{
	static const char *const names[] = {
		"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
		"ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = get_set(e, names[i]);

		if (value)
			strmap_set(&e->proxy, names[i], value);
	}
}

const char *environment_http_proxy(const struct environment *e)
{
	return strmap_has(&e->proxy, "http_proxy") ? NULL : strmap_get(&e->proxy, "HTTP_PROXY");
}

void environment_init(struct environment *e, char **envp)
{
	*e = (struct environment){.envp = envp};
	e->home = find_home(e);
	e->root = state_folder(e);
	e->ca_file = xstrdup_null(get_set(e, "SSL_CERT_FILE"));
	e->aws_ca_file = xstrdup_null(
		get_set(e, get_set(e, "AWS_CA_BUNDLE") ? "AWS_CA_BUNDLE" : "SSL_CERT_FILE"));
	e->ca_dir = xstrdup_null(get_set(e, "SSL_CERT_DIR"));
	e->source_date_epoch = xstrdup_null(get_set(e, "SOURCE_DATE_EPOCH"));
	e->default_platform = xstrdup_null(get_set(e, "DOCKER_DEFAULT_PLATFORM"));
	e->sandbox_mode = xstrdup_null(get_set(e, "SLIPWAY_SANDBOX"));
	e->sandbox_storage = xstrdup_null(get_set(e, "SLIPWAY_STORAGE"));
	e->no_color = get_set(e, "NO_COLOR") != NULL;
	e->verbose = get_set(e, "SLIPWAY_VERBOSE") != NULL;
	fs_no_openat2 = get_set(e, "SLIPWAY_TEST_NO_OPENAT2") != NULL;
	e->retry_ms = get_ms(e, "SLIPWAY_TEST_RETRY_MS");
	e->stall_ms = get_ms(e, "SLIPWAY_TEST_STALL_MS");
	e->poll_ms = get_ms(e, "SLIPWAY_TEST_POLL_MS");
	e->settle_ms = get_ms(e, "SLIPWAY_TEST_SETTLE_MS");
	find_auth_files(e);
	find_proxies(e);
	if (get_set(e, "SLIPWAY_CONNECT_TO"))
		strlist_split(&e->connect_to, get_set(e, "SLIPWAY_CONNECT_TO"), ' ');
	strlist_addf(&e->certs_dirs, "%s/.config/containers/certs.d", e->home);
	strlist_addf(&e->certs_dirs, "%s/.docker/certs.d", e->home);
	strlist_add(&e->certs_dirs, "/etc/containers/certs.d");
	strlist_add(&e->certs_dirs, "/etc/docker/certs.d");
}

void environment_release(struct environment *e)
{
	free(e->root);
	free(e->home);
	free(e->ca_file);
	free(e->ca_dir);
	free(e->aws_ca_file);
	free(e->source_date_epoch);
	free(e->default_platform);
	free(e->sandbox_mode);
	free(e->sandbox_storage);
	strlist_release(&e->auth_files);
	strlist_release(&e->connect_to);
	strlist_release(&e->certs_dirs);
	strmap_release(&e->proxy);
}
