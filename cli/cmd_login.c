#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "login",
	.args = "[OPTIONS] [REGISTRY]",
	.summary = "Log in to a registry (docker.io without a name)",
	.max_args = 1,
};

static const struct command_usage logout_usage = {
	.name = "logout",
	.args = "[REGISTRY]",
	.summary = "Log out from a registry (docker.io without a name)",
	.max_args = 1,
};

#define MAX_PASSWORD 65536

/* One line from the terminal; hidden: without echo. free() with wipe_free(). */
static char *ask(const char *prompt, bool hidden)
{
	struct termios before, silent;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	fprintf(stderr, "%s: ", prompt);
	if (hidden && tcgetattr(STDIN_FILENO, &before) == 0) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	n = getline(&line, &cap, stdin);
	if (hidden) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	if (n < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

/* The whole of standard input without its final newline. */
static char *read_stdin(struct error *err)
{
	char *text = xmalloc(MAX_PASSWORD + 1);
	size_t len = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, text + len, MAX_PASSWORD - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		error_errno(err, "read the password from standard input");
		wipe_free(text);
		return NULL;
	}
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static int get_credentials(struct login *login, const char *user, bool from_stdin,
			   struct error *err)
{
	if (from_stdin && !user)
		return error_set(err, ERROR_USAGE, "--password-stdin needs --username");
	if (!from_stdin && !isatty(STDIN_FILENO))
		return error_set(
			err, ERROR_USAGE,
			"cannot ask for a password without a terminal: use --password-stdin");
	login->username = user ? xstrdup(user) : ask("Username", false);
	if (!login->username || !login->username[0])
		return error_set(err, ERROR_USAGE, "a user name is needed");
	login->password = from_stdin ? read_stdin(err) : ask("Password", true);
	if (!login->password)
		return err->kind ? -1 : error_set(err, ERROR_USAGE, "a password is needed");
	if (!login->password[0])
		return error_set(err, ERROR_USAGE, "the password is empty");
	return 0;
}

/* "https://host/" as docker accepts it -> "host". */
static char *host_name(const struct strlist *args)
{
	const char *host = args->n ? args->items[0] : "docker.io";

	if (str_starts(host, "https://"))
		host += strlen("https://");
	else if (str_starts(host, "http://"))
		host += strlen("http://");
	return xstrndup(host, strcspn(host, "/"));
}

int cmd_login(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(login) login = {0};
	AUTO_FREE char *host = NULL;
	AUTO_FREE char *where = NULL;
	const char *user = NULL, *password = NULL;
	bool from_stdin = false;
	struct option options[] = {
		{'u', "username", OPTION_STRING, "NAME", "User name", &user},
		{'p', "password", OPTION_STRING, "TEXT",
		 "Refused: other users of this machine can see it; use --password-stdin",
		 &password},
		{0, "password-stdin", OPTION_FLAG, NULL, "Take the password from standard input",
		 &from_stdin},
		OPTION_ROW_INSECURE(a),
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (password)
		return error_set(err, ERROR_USAGE,
				 "a password on the command line is visible to other users: "
				 "use --password-stdin");
	host = host_name(&args);
	if (get_credentials(&login, user, from_stdin, err) < 0 || app_registry(a, err) < 0)
		return -1;
	if (registry_check_login(a->registry, host, &login, err) < 0)
		return error_wrap(err, "log in to %s", host);
	if (docker_config_store(&a->docker_config, host, &login, &where, err) < 0)
		return error_wrap(err, "store the login for %s", host);
	printf("Login Succeeded (stored in %s)\n", where);
	return 0;
}

int cmd_logout(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO_FREE char *host = NULL;
	bool found = false;
	int parsed = options_parse(&logout_usage, NULL, 0, argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	host = host_name(&args);
	if (docker_config_erase(&a->docker_config, host, &found, err) < 0)
		return error_wrap(err, "log out from %s", host);
	if (found)
		printf("Removing login credentials for %s\n", host);
	else
		printf("Not logged in to %s\n", host);
	return 0;
}
