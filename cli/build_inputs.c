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
#include "builder/context_remote.h"
#include "cli/csv.h"
#include "cli/fetching.h"
#include "dockerfile/value.h"

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
	annotation_list_release(&in->annotations);
	strlist_release(&in->texts);
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

#define STDIN_LABEL "standard input"

/* What is no archive is a Dockerfile, and then there is no context. */
static int read_text_context(struct app *a, struct build_inputs *in, int fd, bool has_file,
			     struct error *err)
{
	if (has_file)
		return error_set(
			err, ERROR_USAGE,
			"the context on standard input is not a tar archive, and -f names a file in it");
	if (fs_read_fd(fd, STDIN_LABEL, &in->dockerfile, LIMIT_DOCKERFILE_BYTES, err) < 0)
		return -1;
	in->dockerfile_name = xstrdup("Dockerfile");
	return context_open_empty(&in->context, a->store, STDIN_LABEL, err);
}

static int read_stdin_context(struct app *a, struct build_inputs *in, bool has_file,
			      struct error *err)
{
	AUTO_FD int fd = -1;
	struct stat st;

	if (isatty(STDIN_FILENO))
		return error_set(
			err, ERROR_USAGE,
			"the context \"-\" is read from standard input, which is a terminal");
	if (app_store(a, err) < 0 || spool_stdin(a, &fd, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "read standard input");
	if (st.st_size == 0)
		return error_set(err, ERROR_USAGE,
				 "standard input is empty: no context, no Dockerfile");
	if (context_is_archive(fd))
		return context_open_tar(&in->context, a->store, fd, STDIN_LABEL, err);
	return read_text_context(a, in, fd, has_file, err);
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
	error_wrap(err, "read the Dockerfile of %s",
		   in->context->label ? in->context->label : in->context->path);
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

/* BUILDKIT_CONTEXT_KEEP_GIT_DIR: docker's build argument for the main context (dockerfile.md 5). */
static bool keeps_git_dir(const struct build_inputs *in, const struct git_ref *ref)
{
	const char *given = strmap_get(&in->build_args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
	bool keep;

	return given && value_bool(&keep, given) ? keep : ref->keep_git_dir == GIT_YES;
}

static int read_git_context(struct app *a, struct build_inputs *in, const char *url,
			    const char *label, struct error *err)
{
	struct fetching fetching = {.app = a, .inputs = in};
	const struct fetch_source fetch = fetching_source(&fetching);
	AUTO(git_ref) ref = {.remote = NULL};
	struct context_git g = {
		.fetch = &fetch, .ref = &ref, .who = FETCH_FOR_CONTEXT, .label = label};
	bool found;

	if (git_ref_parse(&ref, url, err) < 0)
		return -1;
	g.keep_git_dir = keeps_git_dir(in, &ref);
	if (context_open_git(&in->context, a->store, &g, err) < 0)
		return -1;
	return context_use_ignore(in->context, ".dockerignore", &found, err);
}

/* A tar is the context; anything else is a Dockerfile, which docker also finds in the context under the name "context". */
static int read_url_context(struct app *a, struct build_inputs *in, const char *url,
			    const char *label, struct error *err)
{
	struct fetching fetching = {.app = a, .inputs = in};
	const struct fetch_source fetch = fetching_source(&fetching);
	AUTO_FD int fd = -1;
	int64_t mtime;
	bool is_tar;

	if (context_download(a->store, &fetch, url, &fd, &mtime, err) < 0)
		return -1;
	is_tar = context_is_archive(fd);
	if ((is_tar ? context_open_tar(&in->context, a->store, fd, label, err)
		    : context_open_single(&in->context, a->store, fd, "context", label, err)) < 0)
		return -1;
	if (mtime >= 0)
		in->context->time = mtime;
	if (is_tar || in->dockerfile_name)
		return 0;
	in->dockerfile_name = xstrdup("context");
	return read_in_context(in, "context", err);
}

static int fetch_context(struct app *a, struct build_inputs *in, const char *url, bool is_git,
			 struct error *err)
{
	AUTO_FREE char *label = git_ref_redact(url);
	AUTO(error) local = ERROR_INIT;
	int step, result;

	if (app_store(a, err) < 0)
		return -1;
	step = report_step_begin(a->reporter, "[internal] load %s %s",
				 is_git ? "git source" : "remote build context", label);
	result = is_git ? read_git_context(a, in, url, label, &local)
			: read_url_context(a, in, url, label, &local);
	report_step_end(a->reporter, step, result < 0 ? STEP_STATUS_FAILED : STEP_STATUS_DONE,
			result < 0 ? &local : NULL);
	if (result < 0)
		error_wrap(&local, "load the context %s", label);
	return result < 0 ? error_move(err, &local) : 0;
}

/* The file, unless it was read already, and its own ignore file, both from the context. */
static int read_from_context(struct build_inputs *in, const char *file, struct error *err)
{
	AUTO_FREE char *ignore = NULL;
	bool found;

	if (!in->dockerfile_name && file) {
		in->dockerfile_name = xstrdup(file);
		if (read_in_context(in, file, err) < 0)
			return -1;
	} else if (!in->dockerfile_name && read_default_file(in, err) < 0) {
		return -1;
	}
	ignore = xstrfmt("%s.dockerignore", file ? file : in->dockerfile_name);
	return context_use_ignore(in->context, ignore, &found, err);
}

/* -f of a context that is fetched: standard input, an absolute path here, or a path in the context. */
static int read_remote(struct app *a, struct build_inputs *in, const char *context, bool is_git,
		       const char *file, struct error *err)
{
	bool is_here = file && (strcmp(file, "-") == 0 || path_is_absolute(file));

	if (is_here && read_named_file(in, file, err) < 0)
		return -1;
	if (fetch_context(a, in, context, is_git, err) < 0)
		return -1;
	return is_here ? 0 : read_from_context(in, file, err);
}

static int read_stdin(struct app *a, struct build_inputs *in, const char *file, struct error *err)
{
	if (file && strcmp(file, "-") == 0)
		return error_set(
			err, ERROR_USAGE,
			"the context and the Dockerfile cannot both come from standard input");
	if (read_stdin_context(a, in, file != NULL, err) < 0)
		return -1;
	return in->dockerfile_name ? 0 : read_from_context(in, file, err);
}

/* "FILE.dockerignore" beside the Dockerfile, when there is one. free() */
static char *find_own_ignore(const char *context, const char *file)
{
	AUTO_FREE char *path = file ? xstrfmt("%s.dockerignore", file)
				    : path_join(context, "Dockerfile.dockerignore");
	struct stat st;

	return stat(path, &st) == 0 ? take_ptr(path) : NULL;
}

static int read_folder(struct build_inputs *in, const char *context, const char *file,
		       struct error *err)
{
	AUTO_FREE char *own_ignore = find_own_ignore(context, file);

	if (context_open_folder(&in->context, "context", context, own_ignore, err) < 0 ||
	    (file ? read_named_file(in, file, err) : read_default_file(in, err)) < 0)
		return -1;
	if (!file)
		in->dockerfile_path = path_join(context, in->dockerfile_name);
	else if (strcmp(file, "-") != 0)
		in->dockerfile_path = xstrdup(file);
	return 0;
}

int build_inputs_read(struct app *a, struct build_inputs *in, const char *context, const char *file,
		      struct error *err)
{
	struct stat st;
	bool exists = stat(context, &st) == 0;

	if (strcmp(context, "-") == 0)
		return read_stdin(a, in, file, err);
	if (exists && S_ISDIR(st.st_mode))
		return read_folder(in, context, file, err);
	if (git_ref_is(context, true))
		return read_remote(a, in, context, true, file, err);
	if (str_starts(context, "http://") || str_starts(context, "https://"))
		return read_remote(a, in, context, false, file, err);
	if (strstr(context, "://"))
		return error_set(err, ERROR_UNSUPPORTED,
				 "the context %s: only http, https, ssh and git are supported",
				 context);
	if (exists)
		return error_set(err, ERROR_USAGE, "the context %s is not a folder", context);
	return read_folder(in, context, file, err);
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

/* A source without a scheme is a folder. */
static bool names_folder(const char *source)
{
	return !strstr(source, "://") && !str_starts(source, "oci-layout:") &&
	       !str_starts(source, "docker-image:") && !str_starts(source, "target:") &&
	       !str_starts(source, "input:") && !git_ref_is(source, true);
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
