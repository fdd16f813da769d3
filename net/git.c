#include "net/git.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "net/git_child.h"
#include "net/git_tree.h"

void git_commit_release(struct git_commit *c)
{
	free(c->ref);
	*c = (struct git_commit){.ref = NULL};
}

static bool is_commit_id(const char *text, size_t len)
{
	return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") >= len;
}

/* What ls-remote says of one ref, as text in its output; "" when it is not there. */
struct advertised {
	char id[65], commit[65]; /* commit: of an annotated tag */
	char *name;
};

static void advertised_release(struct advertised *a)
{
	free(a->name);
}

CLEANUP_RELEASE(advertised)

static void note_id(char out[65], const char *line, size_t len)
{
	memcpy(out, line, len);
	out[len] = '\0';
}

/* "ID\tNAME" or "ID\tNAME^{}" for what an annotated tag leads to. */
static void find_line(struct advertised *a, const char *out)
{
	size_t name_len = strlen(a->name);

	for (const char *line = out, *end; *line; line = *end ? end + 1 : end) {
		const char *tab = strchr(line, '\t');

		end = line + strcspn(line, "\n");
		if (!tab || tab > end || !is_commit_id(line, (size_t)(tab - line)) ||
		    strncmp(tab + 1, a->name, name_len) != 0)
			continue;
		if (tab + 1 + name_len == end)
			note_id(a->id, line, (size_t)(tab - line));
		else if (strncmp(tab + 1 + name_len, "^{}\n", 4) == 0)
			note_id(a->commit, line, (size_t)(tab - line));
	}
}

/* As git checkout: what is written in full, then branches, then tags. */
static bool find_ref(struct advertised *a, const char *out, const char *ref)
{
	static const char *const prefixes[] = {"refs/", "refs/heads/", "refs/tags/"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const char *rest = str_starts(ref, prefixes[i]) ? ref + strlen(prefixes[i]) : ref;

		free(a->name);
		a->name = xstrfmt("%s%s", prefixes[i], rest);
		find_line(a, out);
		if (*a->id)
			return true;
	}
	return false;
}

/* "ref: refs/heads/main\tHEAD" of ls-remote --symref. */
static bool find_default(struct advertised *a, const char *out)
{
	const char *at = strstr(out, "ref: refs/heads/");
	size_t len;

	if (at && (at == out || at[-1] == '\n')) {
		at += strlen("ref: ");
		len = strcspn(at, "\t\n");
		if (strncmp(at + len, "\tHEAD", 5) == 0) {
			AUTO(advertised) head = {.name = xstrdup("HEAD")};

			find_line(&head, out);
			memcpy(a->id, head.id, sizeof(a->id));
			a->name = xstrndup(at, len);
		}
	}
	return *a->id != '\0';
}

static bool is_short_id(const char *ref)
{
	size_t n = strlen(ref);

	return n >= 4 && n < 40 && strspn(ref, "0123456789abcdefABCDEF") == n;
}

static int no_ref(const struct git_request *r, struct error *err)
{
	if (!r->ref)
		return error_set(err, ERROR_NOT_FOUND,
				 "could not find the default branch of %s: the repository is empty",
				 r->remote);
	error_set(err, ERROR_NOT_FOUND, "repository %s does not contain ref %s", r->remote, r->ref);
	if (is_short_id(r->ref))
		return error_hint(err, "A commit is named by its full id of 40 digits.");
	return -1;
}

static int ask_remote(struct git_commit *out, const struct git_client *c,
		      const struct git_request *r, struct error *err)
{
	const struct git_run run = {.client = c, .request = r};
	AUTO(advertised) found = {.name = NULL};
	AUTO(strbuf) text = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	AUTO_FREE char *peeled = r->ref ? xstrfmt("%s^{}", r->ref) : NULL;
	const char *const by_name[] = {"ls-remote", "--", r->remote, r->ref, peeled, NULL};
	const char *const by_head[] = {"ls-remote", "--symref", "--", r->remote, "HEAD", NULL};
	bool there;

	if (git_child_must(&run, r->ref ? by_name : by_head, &text, err) < 0)
		return -1;
	if (!text.len)
		return no_ref(r, err);
	there = r->ref ? find_ref(&found, text.buf, r->ref) : find_default(&found, text.buf);
	if (!there)
		return no_ref(r, err);
	memcpy(out->id, found.id, sizeof(out->id));
	memcpy(out->commit, *found.commit ? found.commit : found.id, sizeof(out->commit));
	out->ref = take_ptr(found.name);
	return 0;
}

static int check_id(const struct git_commit *commit, const struct git_request *r, struct error *err)
{
	if (!r->checksum || str_starts(commit->id, r->checksum) ||
	    str_starts(commit->commit, r->checksum))
		return 0;
	return error_set(err, ERROR_CORRUPT, "%s: expected checksum to match %s, got %s", r->remote,
			 r->checksum, commit->commit);
}

int git_resolve(struct git_commit *out, const struct git_client *c, const struct git_request *r,
		struct error *err)
{
	AUTO(git_commit) found = {.ref = NULL};

	if (r->ref && is_commit_id(r->ref, strlen(r->ref))) {
		note_id(found.id, r->ref, strlen(r->ref));
		note_id(found.commit, r->ref, strlen(r->ref));
	} else if (ask_remote(&found, c, r, err) < 0) {
		return -1;
	}
	if (check_id(&found, r, err) < 0)
		return -1;
	*out = found;
	found = (struct git_commit){.ref = NULL};
	return 0;
}

struct checkout {
	struct git_run run;
	const struct git_commit *commit;
};

/* Servers differ in what they hand out: a commit by its id, a shallow history. */
static bool may_try_otherwise(const struct strbuf *errors)
{
	static const char *const words[] = {
		"shallow",
		"--depth",
		"not our ref",
		"unadvertised object",
		"Server does not allow request",
		"couldn't find remote ref",
		"no such remote ref",
	};

	for (size_t i = 0; errors->len && i < ARRAY_SIZE(words); i++)
		if (strcasestr(errors->buf, words[i]))
			return true;
	return false;
}

static bool has_commit(const struct checkout *k)
{
	AUTO_FREE char *name = xstrfmt("%s^{commit}", k->commit->commit);
	const char *const args[] = {"cat-file", "-e", name, NULL};
	bool ok;

	return git_child(&k->run, args, NULL, NULL, &ok, NULL) == 0 && ok;
}

/* Tries one way after the other until the commit is here; a branch may have moved since it was asked for. */
static int fetch(const struct checkout *k, struct error *err)
{
	const char *remote = k->run.request->remote, *ref = k->commit->ref;
	AUTO_FREE char *named = xstrfmt("+%s:%s", ref ? ref : "", ref ? ref : "");
	const char *const by_name[] = {"fetch",     "-q",        "-u",
				       "--no-tags", "--depth=1", "--end-of-options",
				       remote,      named,       NULL};
	const char *const by_name_deep[] = {"fetch", "-q",  "-u", "--no-tags", "--end-of-options",
					    remote,  named, NULL};
	const char *const by_id[] = {
		"fetch",           "-q", "--no-tags", "--depth=1", "--end-of-options", remote,
		k->commit->commit, NULL};
	const char *const all[] = {"fetch",
				   "-q",
				   "--end-of-options",
				   remote,
				   "+refs/heads/*:refs/remotes/origin/*",
				   "+refs/tags/*:refs/tags/*",
				   NULL};
	const char *const *const ways[] = {by_name, by_name_deep, by_id, all};

	for (size_t i = ref ? 0 : 2; i < ARRAY_SIZE(ways); i++) {
		AUTO(strbuf) errors = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
		bool ok;

		if (git_child(&k->run, ways[i], NULL, &errors, &ok, err) < 0)
			return -1;
		if (ok && has_commit(k))
			return 0;
		if (!ok && !may_try_otherwise(&errors))
			return git_child_failed(&k->run, "fetch from", &errors, err);
	}
	return error_set(err, ERROR_NOT_FOUND, "repository %s does not contain the commit %s",
			 remote, k->commit->commit);
}

static int commit_time(const struct checkout *k, int64_t *out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_LIMIT(4096);
	const char *const args[] = {"log", "-1", "--format=%ct", k->commit->commit, NULL};

	if (git_child_must(&k->run, args, &text, err) < 0)
		return -1;
	*out = text.len ? strtoll(text.buf, NULL, 10) : 0;
	return 0;
}

static int update_submodules(const struct checkout *k, struct error *err)
{
	static const char *const shallow[] = {"submodule",   "--quiet",   "update", "--init",
					      "--recursive", "--depth=1", NULL};
	static const char *const deep[] = {"submodule", "--quiet",     "update",
					   "--init",    "--recursive", NULL};
	AUTO_FREE char *list = path_join(k->run.folder, ".gitmodules");
	AUTO(strbuf) errors = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	struct stat st;
	bool ok;

	if (k->run.request->no_submodules || lstat(list, &st) < 0)
		return 0;
	if (git_child(&k->run, shallow, NULL, &errors, &ok, err) < 0)
		return -1;
	if (!ok && may_try_otherwise(&errors)) {
		strbuf_reset(&errors);
		if (git_child(&k->run, deep, NULL, &errors, &ok, err) < 0)
			return -1;
	}
	return ok ? 0 : git_child_failed(&k->run, "update the submodules of", &errors, err);
}

static int run_steps(const struct checkout *k, struct error *err)
{
	const char *const init[] = {"init", "-q", "--template=",
				    strlen(k->commit->commit) == 64 ? "--object-format=sha256"
								    : "--object-format=sha1",
				    NULL};
	const char *const origin[] = {"config", "remote.origin.url", k->run.request->remote, NULL};
	const char *const switch_to[] = {"checkout", "-q", "--detach", k->commit->commit, NULL};

	if (git_child_must(&k->run, init, NULL, err) < 0 ||
	    git_child_must(&k->run, origin, NULL, err) < 0 || fetch(k, err) < 0 ||
	    git_child_must(&k->run, switch_to, NULL, err) < 0)
		return -1;
	return update_submodules(k, err);
}

/* Links of the repository lead nowhere but into it. */
static int find_root(const struct git_request *r, const char *folder, char **root,
		     struct error *err)
{
	AUTO_FD int top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int fd = -1;
	char link[32], path[2 * LIMIT_PATH_BYTES];
	size_t len = strlen(folder);
	ssize_t n;

	if (top < 0)
		return error_errno(err, "open %s", folder);
	fd = fs_openat_in_root(top, r->subdir, O_PATH | O_DIRECTORY, 0);
	if (fd < 0) {
		error_errno(err, "open the subdirectory \"%s\" of %s", r->subdir, r->remote);
		if (err && errno == ENOTDIR)
			err->kind = ERROR_NOT_FOUND;
		return -1;
	}
	fs_fd_path(fd, link);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return error_errno(err, "look at the subdirectory %s", r->subdir);
	path[n] = '\0';
	if (strncmp(path, folder, len) != 0 || (path[len] && path[len] != '/') ||
	    str_starts(path + len, "/.git/") || strcmp(path + len, "/.git") == 0)
		return error_set(err, ERROR_NOT_FOUND,
				 "the subdirectory \"%s\" of %s leads out of the repository",
				 r->subdir, r->remote);
	*root = xstrdup(path);
	return 0;
}

int git_checkout(const struct git_client *c, const struct git_request *r,
		 const struct git_commit *commit, const char *folder, char **root, int64_t *time,
		 struct error *err)
{
	AUTO_FREE char *real = realpath(folder, NULL);
	struct checkout k = {
		.run = {.client = c, .request = r, .folder = real},
		.commit = commit,
	};
	struct git_tree_options o = {.keep_git_dir = r->keep_git_dir && !r->subdir,
				     .has_mtime = !r->checkout_times};

	if (!real)
		return error_errno(err, "open %s", folder);
	if (run_steps(&k, err) < 0 || commit_time(&k, &o.mtime, err) < 0 ||
	    git_tree_finish(real, &o, err) < 0)
		return -1;
	*time = o.mtime;
	if (r->subdir)
		return find_root(r, real, root, err);
	*root = take_ptr(real);
	return 0;
}
