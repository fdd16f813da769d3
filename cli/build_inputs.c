#include "cli/build_inputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "cli/csv.h"

void build_inputs_init(struct build_inputs *in)
{
	*in = (struct build_inputs){0};
	strbuf_init(&in->dockerfile);
}

void build_inputs_release(struct build_inputs *in)
{
	union {
		const void *foreign;
		void *ours;
	} data;

	for (size_t i = 0; i < in->n_secrets; i++) {
		data.foreign = in->secrets[i].data;
		wipe(data.ours, in->secrets[i].len);
		free(data.ours);
	}
	free(in->secrets);
	free(in->named_contexts);
	free(in->dockerfile_name);
	free(in->dockerfile_path);
	free(in->ca_bundle);
	context_free(in->context);
	strbuf_release(&in->dockerfile);
	strmap_release(&in->build_args);
	strmap_release(&in->labels);
	strmap_release(&in->annotations);
	strmap_release(&in->index_annotations);
	strlist_release(&in->texts);
}

/* Compressed or plain tar? Anything else on standard input is a Dockerfile. */
static bool looks_like_archive(const unsigned char *p, size_t n)
{
	static const struct {
		size_t at, len;
		const char *magic;
	} magics[] = {
		{0, 2, "\x1f\x8b"},
		{0, 3, "BZh"},
		{0, 6,
		 "\xfd"
		 "7zXZ\0"},
		{0, 4, "\x28\xb5\x2f\xfd"},
		{257, 5, "ustar"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (n >= magics[i].at + magics[i].len &&
		    memcmp(p + magics[i].at, magics[i].magic, magics[i].len) == 0)
			return true;
	/* an empty archive is zeros */
	return n >= 512 && p[0] == 0;
}

/* Standard input as a file, so that it can be looked at before it is used. */
static int spool_stdin(struct app *a, int *out, struct error *err)
{
	AUTO_FREE char *dir = store_path(a->store, "ingest");
	AUTO_FD int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "create a temporary file in %s", dir);
	if (fs_copy_fd(STDIN_FILENO, fd, -1, "the context on standard input", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "rewind the context");
	*out = take_fd(fd);
	return 0;
}

static int read_stdin_context(struct app *a, struct build_inputs *in, bool has_file,
			      struct error *err)
{
	unsigned char head[512];
	AUTO_FD int fd = -1;
	AUTO_FREE char *empty = NULL;
	ssize_t n;

	if (isatty(STDIN_FILENO))
		return error_set(
			err, ERROR_USAGE,
			"the context \"-\" is read from standard input, which is a terminal");
	if (app_store(a, err) < 0 || spool_stdin(a, &fd, err) < 0)
		return -1;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return error_errno(err, "read standard input");
	if (n == 0)
		return error_set(err, ERROR_USAGE,
				 "standard input is empty: no context, no Dockerfile");
	if (looks_like_archive(head, (size_t)n))
		return context_open_tar(&in->context, a->store, fd, err);
	if (has_file)
		return error_set(
			err, ERROR_USAGE,
			"the context on standard input is not a tar archive, and -f names a file in it");
	if (fs_read_fd(fd, "standard input", &in->dockerfile, LIMIT_DOCKERFILE_BYTES, err) < 0)
		return -1;
	in->dockerfile_name = xstrdup("Dockerfile");
	/* no context: an empty folder that goes away with the build */
	empty = store_path(a->store, "ingest");
	char *path = NULL;

	if (fs_make_temp_dir(empty, "context-", &path, err) < 0)
		return -1;
	strlist_take(&in->texts, path);
	if (context_open_folder(&in->context, "context", path, NULL, err) < 0)
		return -1;
	in->context->temporary = true;
	return 0;
}

static int read_in_context(struct build_inputs *in, const char *name, struct error *err)
{
	AUTO_FD int fd = fs_openat_in_root(in->context->dirfd, name, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return error_errno(err, "open %s in the context", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERROR_NOT_FOUND, "%s in the context is not a file", name);
	return fs_read_fd(fd, name, &in->dockerfile, LIMIT_DOCKERFILE_BYTES, err);
}

/* Dockerfile, else dockerfile: as docker looks. */
static int read_default_file(struct build_inputs *in, struct error *err)
{
	AUTO(error) first = ERROR_INIT;

	if (read_in_context(in, "Dockerfile", &first) == 0) {
		in->dockerfile_name = xstrdup("Dockerfile");
		return 0;
	}
	if (first.kind == ERROR_NOT_FOUND && read_in_context(in, "dockerfile", NULL) == 0) {
		in->dockerfile_name = xstrdup("dockerfile");
		return 0;
	}
	error_move(err, &first);
	error_wrap(err, "read the Dockerfile of %s", in->context->path);
	return error_hint(err, "Name another file with -f.");
}

static int read_named_file(struct build_inputs *in, const char *file, struct error *err)
{
	int result;

	in->dockerfile_name = xstrdup(file);
	if (strcmp(file, "-") == 0) {
		free(in->dockerfile_name);
		in->dockerfile_name = xstrdup("Dockerfile");
		result = fs_read_fd(STDIN_FILENO, "standard input", &in->dockerfile,
				    LIMIT_DOCKERFILE_BYTES, err);
	} else {
		result = fs_read_file(file, &in->dockerfile, LIMIT_DOCKERFILE_BYTES, err);
	}
	return result < 0 ? error_wrap(err, "read the Dockerfile") : 0;
}

static bool is_remote(const char *context)
{
	return strstr(context, "://") || str_starts(context, "git@") ||
	       str_starts(context, "github.com/");
}

int build_inputs_read(struct app *a, struct build_inputs *in, const char *context, const char *file,
		      struct error *err)
{
	AUTO_FREE char *own_ignore = file ? xstrfmt("%s.dockerignore", file) : NULL;
	struct stat st;
	bool is_stdin = strcmp(context, "-") == 0;

	if (is_stdin && file && strcmp(file, "-") == 0)
		return error_set(
			err, ERROR_USAGE,
			"the context and the Dockerfile cannot both come from standard input");
	if (is_remote(context))
		return error_set(
			err, ERROR_UNSUPPORTED,
			"the context %s: git and URL contexts are not supported yet; clone it and "
			"give the folder",
			context);
	if (is_stdin) {
		if (read_stdin_context(a, in, file != NULL, err) < 0)
			return -1;
		if (in->dockerfile_name)
			return 0;
		if (!file)
			return read_default_file(in, err);
		in->dockerfile_name = xstrdup(file);
		return read_in_context(in, file, err);
	}
	if (stat(context, &st) == 0 && !S_ISDIR(st.st_mode))
		return error_set(err, ERROR_USAGE, "the context %s is not a folder", context);
	if (!file) {
		/* the default Dockerfile may have an ignore file of its own as well */
		AUTO_FREE char *beside = path_join(context, "Dockerfile.dockerignore");

		if (stat(beside, &st) == 0)
			own_ignore = xstrdup(beside);
	} else if (stat(own_ignore, &st) < 0) {
		free(own_ignore);
		own_ignore = NULL;
	}
	if (context_open_folder(&in->context, "context", context, own_ignore, err) < 0)
		return -1;
	if ((file ? read_named_file(in, file, err) : read_default_file(in, err)) < 0)
		return -1;
	if (!file)
		in->dockerfile_path = path_join(context, in->dockerfile_name);
	else if (strcmp(file, "-") != 0)
		in->dockerfile_path = xstrdup(file);
	return 0;
}

int build_inputs_add_arg(struct app *a, struct build_inputs *in, const char *text,
			 struct error *err)
{
	const char *equals = strchr(text, '=');
	AUTO_FREE char *key = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);

	if (!*key)
		return error_set(err, ERROR_USAGE, "--build-arg %s: the name is missing", text);
	strmap_set(&in->build_args, key, equals ? equals + 1 : environment_get(&a->env, key));
	return 0;
}

int build_inputs_add_pair(struct strmap *out, const char *flag, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	AUTO_FREE char *key = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);

	if (!*key)
		return error_set(err, ERROR_USAGE, "%s %s: want NAME=VALUE", flag, text);
	strmap_set(out, key, equals ? equals + 1 : "");
	return 0;
}

/* "index,manifest:": what comes before the name when all of it is small letters, brackets and commas. */
static bool has_types(const char *text, size_t *len)
{
	*len = strspn(text, "abcdefghijklmnopqrstuvwxyz-,[]/0123456789");
	return text[*len] == ':' && *len < strcspn(text, "=");
}

int build_inputs_add_annotation(struct build_inputs *in, const char *text, struct error *err)
{
	AUTO(strlist) types = STRLIST_INIT;
	AUTO_FREE char *list = NULL;
	size_t len = 0;

	if (!has_types(text, &len))
		return build_inputs_add_pair(&in->annotations, "--annotation", text, err);
	list = xstrndup(text, len);
	strlist_split(&types, list, ',');
	for (size_t i = 0; i < types.n; i++) {
		const char *type = types.items[i];
		struct strmap *out = strcmp(type, "manifest") == 0 ? &in->annotations
				     : strcmp(type, "index") == 0  ? &in->index_annotations
								   : NULL;

		if (!out)
			return error_set(
				err, ERROR_UNSUPPORTED,
				"--annotation %s: only manifest and index can be annotated, "
				"not %s",
				text, type);
		if (build_inputs_add_pair(out, "--annotation", text + len + 1, err) < 0)
			return -1;
	}
	return 0;
}

/* A source without a scheme is a folder. */
static bool names_folder(const char *source)
{
	return !strstr(source, "://") && !str_starts(source, "oci-layout:") &&
	       !str_starts(source, "docker-image:") && !str_starts(source, "target:");
}

int build_inputs_add_context(struct build_inputs *in, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	struct build_named_context *c;
	struct stat st;

	if (!equals || equals == text || !equals[1])
		return error_set(err, ERROR_USAGE, "--build-context %s: want NAME=SOURCE", text);
	if (names_folder(equals + 1) && stat(equals + 1, &st) < 0)
		return error_errno(err, "--build-context %s: open %s", text, equals + 1);
	in->named_contexts = xreallocarray(in->named_contexts, in->n_named_contexts + 1,
					   sizeof(*in->named_contexts));
	strlist_addn(&in->texts, text, (size_t)(equals - text));
	strlist_add(&in->texts, equals + 1);
	c = &in->named_contexts[in->n_named_contexts++];
	c->name = in->texts.items[in->texts.n - 2];
	c->source = in->texts.items[in->texts.n - 1];
	return 0;
}

/* From the file src, the variable env, or without either: the variable of the secret's name, then the file of it. */
static int load_secret(struct app *a, const char *id, const char *src, const char *env,
		       struct strbuf *out, struct error *err)
{
	const char *value = environment_get(&a->env, env ? env : id);

	if (!src && (env || value)) {
		if (!value)
			return error_set(err, ERROR_NOT_FOUND,
					 "--secret id=%s: the environment variable %s is not set",
					 id, env);
		strbuf_puts(out, value);
		return 0;
	}
	if (fs_read_file(src ? src : id, out, LIMIT_SECRET_BYTES, err) < 0)
		return error_wrap(err, "--secret id=%s", id);
	return 0;
}

int build_inputs_add_secret(struct app *a, struct build_inputs *in, const char *text,
			    struct error *err)
{
	static const char *const keys[] = {"id", "src", "source", "env", "type", NULL};
	AUTO(strmap) fields = STRMAP_INIT;
	AUTO(strbuf) data = STRBUF_INIT;
	const char *id, *src, *env, *type;
	struct build_secret *s;
	int result;

	if (csv_parse_fields(&fields, "--secret", text, err) < 0 ||
	    csv_check_keys(&fields, keys, "--secret", err) < 0)
		return -1;
	id = strmap_get(&fields, "id");
	src = strmap_get(&fields, "src") ? strmap_get(&fields, "src")
					 : strmap_get(&fields, "source");
	env = strmap_get(&fields, "env");
	type = strmap_get(&fields, "type");
	if (!id || !*id)
		return error_set(err, ERROR_USAGE, "--secret: id= is missing");
	if (type && strcmp(type, "file") != 0 && strcmp(type, "env") != 0)
		return error_set(err, ERROR_USAGE,
				 "--secret id=%s: unknown type \"%s\": file or env", id, type);
	if (type && strcmp(type, "env") == 0 && !env) {
		env = src ? src : id;
		src = NULL;
	}
	result = load_secret(a, id, src, env, &data, err);
	if (result == 0) {
		in->secrets = xreallocarray(in->secrets, in->n_secrets + 1, sizeof(*in->secrets));
		strlist_add(&in->texts, id);
		s = &in->secrets[in->n_secrets++];
		s->id = in->texts.items[in->texts.n - 1];
		s->len = data.len;
		s->data = xmemdup(data.buf, data.len + 1);
	}
	if (data.cap)
		wipe(data.buf, data.len);
	return result;
}

static bool has_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;

	if (!d)
		return false;
	while (!found && (entry = readdir(d)))
		found = entry->d_name[0] != '.';
	closedir(d);
	return found;
}

void build_inputs_find_ca(struct app *a, struct build_inputs *in)
{
	/* a bundle, and where the host's administrator adds authorities to it */
	static const struct {
		const char *bundle, *added;
	} systems[] = {
		{"/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates"},
		{"/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/source/anchors"},
	};

	if (a->env.ca_file) {
		in->ca_bundle = xstrdup(a->env.ca_file);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
		if (access(systems[i].bundle, R_OK) == 0 && has_files(systems[i].added)) {
			in->ca_bundle = xstrdup(systems[i].bundle);
			return;
		}
	}
}
