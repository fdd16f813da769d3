#include "registry/credential_helper.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/process.h"

#define TIMEOUT_MS 30000
/* A helper's complaint is repeated up to here. */
#define MAX_WORDS 400

/* What a helper printed; it may be a secret. */
struct helper_answer {
	struct strbuf out, errout;
	int status;
};

static void helper_answer_release(struct helper_answer *a)
{
	wipe(a->out.buf, a->out.len);
	strbuf_release(&a->out);
	strbuf_release(&a->errout);
}
CLEANUP_RELEASE(helper_answer)

static int check_name(const char *name, struct error *err)
{
	AUTO(strbuf) shown = STRBUF_INIT;
	bool good = *name != '\0';

	for (const char *c = name; *c; c++)
		good = good && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (good)
		return 0;
	strbuf_add_printable(&shown, name, strlen(name), false);
	return error_set(err, ERROR_DENIED,
			 "credential helper \"%s\" is not run: its name may have letters, digits, "
			 "'.', '_' and '-' only",
			 shown.buf);
}

static const char *find_env(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	}
	return NULL;
}

static int find_program(const struct docker_config_options *o, const char *program, char **out,
			struct error *err)
{
	const char *path = find_env(o->helper_env, "PATH");
	AUTO(strlist) folders = STRLIST_INIT;

	strlist_split(&folders, path ? path : "/usr/local/bin:/usr/bin:/bin", ':');
	for (size_t i = 0; i < folders.n; i++) {
		AUTO_FREE char *file = xstrfmt("%s/%s", folders.items[i], program);

		/* A relative entry would let the current folder choose what is run. */
		if (file[0] == '/' && folders.items[i][0] && access(file, X_OK) == 0) {
			*out = take_ptr(file);
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND, "%s is not in PATH (%s)", program,
			 path ? path : "unset");
}

static int run(const struct docker_config_options *o, const char *name, const char *verb,
	       const char *input, struct helper_answer *answer, struct error *err)
{
	AUTO_FREE char *program = xstrfmt("docker-credential-%s", name);
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *verb_copy = xstrdup(verb);
	char *none[] = {NULL};
	char *argv[] = {program, verb_copy, NULL};
	struct process_options process = {
		.argv = argv,
		.envp = o->helper_env ? o->helper_env : none,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
	};

	answer->out = (struct strbuf)STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	answer->errout = (struct strbuf)STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	if (check_name(name, err) < 0)
		return -1;
	if (find_program(o, program, &path, err) < 0)
		return error_hint(err, "install it, or remove it from the configuration file");
	process.path = path;
	if (process_capture(&process, input, strlen(input), &answer->out, &answer->errout,
			    TIMEOUT_MS, o->cancel, &answer->status, err) < 0)
		return error_wrap(err, "run %s %s", program, verb);
	return 0;
}

/* A failure with its words: helpers complain on stdout, some on stderr. */
static int complain(const char *name, const char *verb, const struct helper_answer *a,
		    struct error *err)
{
	const struct strbuf *said = a->out.len ? &a->out : &a->errout;
	AUTO(strbuf) words = STRBUF_INIT;

	strbuf_add_printable(&words, said->buf, said->len < MAX_WORDS ? said->len : MAX_WORDS,
			     true);
	strbuf_trim(&words);
	error_set(err, ERROR_DENIED, "docker-credential-%s %s failed with exit code %d: %s", name,
		  verb, a->status, words.len ? words.buf : "it printed nothing");
	return error_hint(err, "run \"docker-credential-%s %s\" by hand to see what it lacks", name,
			  verb);
}

static bool says_not_found(const struct helper_answer *a)
{
	return strcasestr(a->out.buf, "credentials not found") ||
	       strcasestr(a->errout.buf, "credentials not found");
}

static int parse_answer(const struct helper_answer *a, const char *name, struct login *out,
			struct error *err)
{
	AUTO_FREE char *where = xstrfmt("the answer of docker-credential-%s", name);
	AUTO(error) hidden = ERROR_INIT;
	AUTO_JSON *j = NULL;
	const char *user, *secret;

	/* A parser's message could repeat a part of the secret. */
	if (json_parse(&j, a->out.buf, a->out.len, where, &hidden) < 0)
		return error_set(err, ERROR_CORRUPT, "%s is not JSON", where);
	if (json_get_string(j, "Username", &user, where, err) < 0 ||
	    json_get_string(j, "Secret", &secret, where, err) < 0)
		return -1;
	if (strcmp(user, "<token>") == 0) {
		out->identity_token = xstrdup(secret);
	} else {
		out->username = xstrdup(user);
		out->password = xstrdup(secret);
	}
	return 0;
}

int credential_helper_get(const struct docker_config_options *o, const char *name,
			  const char *server, struct login *out, bool *found, struct error *err)
{
	AUTO(helper_answer) answer = {0};

	*found = false;
	if (run(o, name, "get", server, &answer, err) < 0)
		return -1;
	if (answer.status != 0)
		return says_not_found(&answer) ? 0 : complain(name, "get", &answer, err);
	if (parse_answer(&answer, name, out, err) < 0)
		return -1;
	*found = true;
	return 0;
}

int credential_helper_store(const struct docker_config_options *o, const char *name,
			    const char *server, const struct login *l, struct error *err)
{
	AUTO(helper_answer) answer = {0};
	AUTO(strbuf) input = STRBUF_INIT;
	AUTO_JSON *j = json_object();
	int rc;

	json_object_set_new(j, "ServerURL", json_text(server));
	json_object_set_new(j, "Username", json_text(l->identity_token ? "<token>" : l->username));
	json_object_set_new(j, "Secret",
			    json_text(l->identity_token ? l->identity_token : l->password));
	json_write(j, &input);
	rc = run(o, name, "store", input.buf, &answer, err);
	wipe(input.buf, input.len);
	if (rc == 0 && answer.status != 0)
		rc = complain(name, "store", &answer, err);
	return rc;
}

int credential_helper_erase(const struct docker_config_options *o, const char *name,
			    const char *server, bool *found, struct error *err)
{
	AUTO(helper_answer) answer = {0};

	if (run(o, name, "erase", server, &answer, err) < 0)
		return -1;
	*found = answer.status == 0;
	if (answer.status != 0 && !says_not_found(&answer))
		return complain(name, "erase", &answer, err);
	return 0;
}
