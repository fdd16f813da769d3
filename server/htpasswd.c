#include "server/htpasswd.h"

#include <crypt.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/strlist.h"
#include "base/strmap.h"

#define USER_LIMIT     255
#define PASSWORD_LIMIT 72 /* bcrypt looks at no more */
/* For users that are not there, until the file shows what its passwords cost. */
#define NOBODY "$2y$05$......................0qbY9tLKr1pHzCdN7TyrBWi3SrHnzYW"

struct htpasswd {
	char *path;
	pthread_mutex_t slow; /* while a password is checked; taken before the other */
	pthread_mutex_t lock; /* of what follows */
	unsigned generation;  /* of the file */
	struct strmap users;  /* to their hashes */
	struct stat seen;
	uint8_t key[SHA256_SIZE]; /* of what is remembered */
	struct strmap good;       /* user to the keyed hash of the password that was right */
	char *nobody;
};

static bool is_bcrypt(const char *hash)
{
	static const char alphabet[] =
		"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	return strlen(hash) == 60 && strncmp(hash, "$2", 2) == 0 && strchr("aby", hash[2]) &&
	       hash[3] == '$' && strspn(hash + 4, "0123456789") == 2 && hash[6] == '$' &&
	       strspn(hash + 7, alphabet) == 53;
}

static int read_line(struct htpasswd *h, char *line, size_t number, struct error *err)
{
	char *colon = strchr(line, ':');
	size_t len = strlen(line);

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (!colon || colon == line || colon - line > USER_LIMIT)
		return error_set(err, ERROR_SYNTAX, "%s:%zu: not of the form USER:HASH", h->path,
				 number);
	*colon = '\0';
	if (!is_bcrypt(colon + 1)) {
		error_set(err, ERROR_UNSUPPORTED,
			  "%s:%zu: the password of %s is not hashed by bcrypt", h->path, number,
			  line);
		return error_hint(err, "htpasswd -B makes such a line");
	}
	strmap_set(&h->users, line, colon + 1);
	free(h->nobody);
	h->nobody = xstrdup(colon + 1);
	return 0;
}

static int read_all(struct htpasswd *h, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) lines = STRLIST_INIT;

	strmap_clear(&h->users);
	strmap_clear(&h->good);
	h->generation++;
	if (fs_read_file(h->path, &text, LIMIT_HTPASSWD_BYTES, err) < 0)
		return -1;
	strlist_split(&lines, text.buf, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (read_line(h, lines.items[i], i + 1, err) < 0)
			return -1;
	return 0;
}

static bool has_changed(const struct htpasswd *h, const struct stat *now)
{
	return now->st_ino != h->seen.st_ino || now->st_size != h->seen.st_size ||
	       now->st_mtim.tv_sec != h->seen.st_mtim.tv_sec ||
	       now->st_mtim.tv_nsec != h->seen.st_mtim.tv_nsec;
}

static int refresh(struct htpasswd *h, struct error *err)
{
	struct stat now;

	if (stat(h->path, &now) < 0)
		return error_errno(err, "read %s", h->path);
	if (!has_changed(h, &now))
		return 0;
	if (read_all(h, err) < 0) {
		strmap_clear(&h->users);
		return -1;
	}
	h->seen = now;
	return 0;
}

int htpasswd_open(struct htpasswd **out, const char *path, struct error *err)
{
	AUTO_PTR(htpasswd) h = xcalloc(1, sizeof(*h));

	h->path = xstrdup(path);
	h->nobody = xstrdup(NOBODY);
	pthread_mutex_init(&h->slow, NULL);
	pthread_mutex_init(&h->lock, NULL);
	if (getrandom(h->key, sizeof(h->key), 0) != (ssize_t)sizeof(h->key))
		return error_errno(err, "draw random bytes");
	if (refresh(h, err) < 0)
		return -1;
	if (!h->users.n)
		return error_set(err, ERROR_SYNTAX, "%s: no user is in it", path);
	*out = take_ptr(h);
	return 0;
}

void htpasswd_free(struct htpasswd *h)
{
	if (!h)
		return;
	strmap_release(&h->users);
	strmap_release(&h->good);
	pthread_mutex_destroy(&h->slow);
	pthread_mutex_destroy(&h->lock);
	wipe(h->key, sizeof(h->key));
	free(h->nobody);
	free(h->path);
	free(h);
}

static void keyed(const struct htpasswd *h, const char *password, char out[SHA256_HEX_SIZE])
{
	uint8_t raw[SHA256_SIZE];

	sha256_hmac(h->key, sizeof(h->key), password, strlen(password), raw);
	sha256_hex(raw, out);
}

static bool check_bcrypt(const char *password, const char *hash)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *got = crypt_r(password, hash, data);
	bool good = got && sha256_equal_text(got, hash);

	wipe(data, sizeof(*data));
	free(data);
	return good;
}

/* A login to be checked, and what the file says of it. */
struct attempt {
	const char *user;
	char mark[SHA256_HEX_SIZE]; /* of the password */
	char *hash; /* of the user, or somebody's when there is no such user; NULL: the file cannot be read */
	bool is_user, is_remembered;
	unsigned generation;
};

static void look_up(struct htpasswd *h, struct attempt *a)
{
	const char *known, *hash;

	free(take_ptr(a->hash));
	pthread_mutex_lock(&h->lock);
	if (refresh(h, NULL) == 0) {
		known = strmap_get(&h->good, a->user);
		hash = strmap_get(&h->users, a->user);
		a->is_user = hash != NULL;
		a->is_remembered = known && sha256_equal_text(known, a->mark);
		a->hash = xstrdup(hash ? hash : h->nobody);
		a->generation = h->generation;
	}
	pthread_mutex_unlock(&h->lock);
}

/* Unless the file has changed since the hash was read. */
static void remember(struct htpasswd *h, const struct attempt *a)
{
	pthread_mutex_lock(&h->lock);
	if (a->generation == h->generation)
		strmap_set(&h->good, a->user, a->mark);
	pthread_mutex_unlock(&h->lock);
}

static bool check_slowly(struct htpasswd *h, struct attempt *a, const char *password)
{
	bool good;

	/* Another request may have brought the same login while we waited. */
	look_up(h, a);
	if (!a->hash || a->is_remembered)
		return a->hash != NULL;
	good = check_bcrypt(password, a->hash) && a->is_user;
	if (good)
		remember(h, a);
	return good;
}

bool htpasswd_check(struct htpasswd *h, const char *user, const char *password)
{
	struct attempt a = {.user = user};
	bool good;

	if (strlen(password) > PASSWORD_LIMIT)
		return false;
	keyed(h, password, a.mark);
	look_up(h, &a);
	good = a.hash && a.is_remembered;
	if (a.hash && !good) {
		/* Guesses are tried one after the other, and leave the other processor alone; who is known does not wait for them. */
		pthread_mutex_lock(&h->slow);
		good = check_slowly(h, &a, password);
		pthread_mutex_unlock(&h->slow);
	}
	free(a.hash);
	return good;
}
