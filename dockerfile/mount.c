#include "dockerfile/mount.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "dockerfile/value.h"
#include "dockerfile/words.h"

static const char *const kind_names[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
static const char *const sharing_names[] = {"shared", "private", "locked"};

enum mount_key {
	KEY_TYPE,
	KEY_FROM,
	KEY_SOURCE,
	KEY_TARGET,
	KEY_READONLY,
	KEY_READWRITE,
	KEY_ID,
	KEY_SHARING,
	KEY_REQUIRED,
	KEY_SIZE,
	KEY_MODE,
	KEY_UID,
	KEY_GID,
	KEY_ENV,
};
#define N_KEYS (KEY_ENV + 1)

static const char *const key_names[] = {
	"type",        "from", "source", "target",    "readonly", "id",  "sharing",
	"required",    "size", "mode",   "uid",       "gid",      "src", "dst",
	"destination", "ro",   "rw",     "readwrite", "env",
};
static const enum mount_key key_ids[] = {
	KEY_TYPE,     KEY_FROM,      KEY_SOURCE,    KEY_TARGET, KEY_READONLY,
	KEY_ID,       KEY_SHARING,   KEY_REQUIRED,  KEY_SIZE,   KEY_MODE,
	KEY_UID,      KEY_GID,       KEY_SOURCE,    KEY_TARGET, KEY_TARGET,
	KEY_READONLY, KEY_READWRITE, KEY_READWRITE, KEY_ENV,
};

/* The fields of one mount: the last value of each key, expanded. */
struct fields {
	char *values[N_KEYS]; /* "" for a key without "=" */
	bool given[N_KEYS];
	bool read_write;   /* of readonly and readwrite the later one counts */
	size_t at[N_KEYS]; /* where each was given in the text */
	size_t wrong;      /* where the field begins that an error is about */
};

static void fields_release(struct fields *f)
{
	size_t i;

	for (i = 0; i < N_KEYS; i++)
		free(f->values[i]);
}
CLEANUP_RELEASE(fields)

const char *mount_kind_name(enum mount_kind kind)
{
	return kind_names[kind];
}

void run_mount_release(struct run_mount *m)
{
	if (!m)
		return;
	free(m->text);
	free(m->from);
	free(m->source);
	free(m->target);
	free(m->id);
	free(m->env);
	memset(m, 0, sizeof(*m));
}

static int find_name(const char *name, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcasecmp(name, names[i]) == 0)
			return (int)i;
	return -1;
}

/* " (did you mean x?)" or nothing; free(). */
static char *suggestion(const char *name, const char *const *names, size_t n)
{
	const char *found = word_suggest(name, names, n);

	return found ? xstrfmt(" (did you mean %s?)", found) : xstrdup("");
}

static int bad_value(const char *key, const char *value, struct error *err)
{
	return error_set(err, ERROR_SYNTAX, "invalid value for %s: %s", key, value);
}

/* Notes that an error is about this key. */
static int blame(struct fields *f, enum mount_key key)
{
	f->wrong = f->at[key];
	return -1;
}

static int take_flag(struct fields *f, enum mount_key key, const char *name, const char *value,
		     bool bare, struct error *err)
{
	bool on = true;

	if (!bare && !value_bool(&on, value))
		return bad_value(name, value, err);
	if (key == KEY_READWRITE)
		f->read_write = on;
	else if (key == KEY_READONLY)
		f->read_write = !on;
	free(f->values[key]);
	f->values[key] = xstrdup(on ? "true" : "false");
	f->given[key] = true;
	return 0;
}

/* One "key[=value]", which begins at f->wrong. With a NULL scope values that hold variables are skipped. */
static int take_field(struct fields *f, const char *field, const struct expand_scope *scope,
		      struct error *err)
{
	static const struct expand_scope empty = {0};
	AUTO(strbuf) value = STRBUF_INIT;
	const char *equals = strchr(field, '=');
	AUTO_FREE char *name = xstrndup(field, equals ? (size_t)(equals - field) : strlen(field));
	int i = find_name(name, key_names, ARRAY_SIZE(key_names));
	enum mount_key key;

	if (i < 0) {
		AUTO_FREE char *hint = suggestion(name, key_names, ARRAY_SIZE(key_names));

		return error_set(err, ERROR_SYNTAX, "unexpected key '%s' in '%s'%s", name, field,
				 hint);
	}
	key = key_ids[i];
	if (!equals && key != KEY_READONLY && key != KEY_READWRITE && key != KEY_REQUIRED)
		return error_set(err, ERROR_SYNTAX, "invalid field '%s' must be a key=value pair",
				 field);
	if (key == KEY_FROM && strchr(equals, '$') && strchr(equals, '$')[1])
		return error_set(err, ERROR_SYNTAX,
				 "'from' doesn't support variable expansion, define alias stage "
				 "instead");
	f->given[key] = true;
	f->at[key] = f->wrong;
	if (equals && !scope && strchr(equals, '$'))
		return 0;
	if (equals && expand_word(&value, equals + 1, scope ? scope : &empty, err) < 0)
		return -1;
	if (key == KEY_READONLY || key == KEY_READWRITE || key == KEY_REQUIRED)
		return take_flag(f, key, name, value.buf, !equals, err);
	free(f->values[key]);
	f->values[key] = strbuf_detach(&value, NULL);
	return 0;
}

static int take_kind(struct run_mount *m, struct fields *f, struct error *err)
{
	const char *type = f->values[KEY_TYPE];
	int i = type ? find_name(type, kind_names, ARRAY_SIZE(kind_names)) : MOUNT_BIND;

	if (i < 0) {
		AUTO_FREE char *hint = suggestion(type, kind_names, ARRAY_SIZE(kind_names));

		error_set(err, ERROR_SYNTAX, "unsupported mount type \"%s\"%s", type, hint);
		return blame(f, KEY_TYPE);
	}
	m->kind = (enum mount_kind)i;
	return 0;
}

static int unexpected_key(enum mount_kind kind, struct fields *f, enum mount_key key,
			  const char *name, struct error *err)
{
	error_set(err, ERROR_SYNTAX, "unexpected key '%s' for mount type '%s'", name,
		  kind_names[kind]);
	return blame(f, key);
}

/* Keys that only some kinds have. */
static int check_keys(enum mount_kind kind, struct fields *f, struct error *err)
{
	static const struct {
		enum mount_key key;
		const char *name;
	} owners[] = {{KEY_MODE, "mode"}, {KEY_UID, "uid"}, {KEY_GID, "gid"}};
	const char *name = kind_names[kind];
	bool owned = kind == MOUNT_CACHE || kind == MOUNT_SECRET || kind == MOUNT_SSH;
	size_t i;

	if (f->given[KEY_REQUIRED] && kind != MOUNT_SECRET && kind != MOUNT_SSH)
		return unexpected_key(kind, f, KEY_REQUIRED, "required", err);
	if (f->given[KEY_SIZE] && kind != MOUNT_TMPFS)
		return unexpected_key(kind, f, KEY_SIZE, "size", err);
	if (f->given[KEY_ENV] && kind != MOUNT_SECRET)
		return unexpected_key(kind, f, KEY_ENV, "env", err);
	for (i = 0; !owned && i < ARRAY_SIZE(owners); i++) {
		if (!f->given[owners[i].key])
			continue;
		error_set(err, ERROR_SYNTAX, "%s not allowed for \"%s\" type mounts",
			  owners[i].name, name);
		return blame(f, owners[i].key);
	}
	if (f->given[KEY_SHARING] && kind != MOUNT_CACHE) {
		error_set(err, ERROR_SYNTAX, "invalid cache sharing set for %s mount", name);
		return blame(f, KEY_SHARING);
	}
	if (f->given[KEY_FROM] && kind == MOUNT_SECRET) {
		error_set(err, ERROR_SYNTAX, "%s mount should not have a from", name);
		return blame(f, KEY_FROM);
	}
	if (f->given[KEY_SOURCE] && kind == MOUNT_SSH) {
		error_set(err, ERROR_SYNTAX, "ssh does not support source");
		return blame(f, KEY_SOURCE);
	}
	return 0;
}

/* An id; the largest means "unchanged" to chown(2). */
static int take_id(struct fields *f, enum mount_key key, const char *name, uint32_t *out,
		   bool *given, struct error *err)
{
	const char *text = f->values[key];
	uint64_t n;

	if (!text)
		return 0;
	if (!value_number(&n, text, 10, UINT32_MAX - 1)) {
		error_set(err, ERROR_SYNTAX, "invalid value %s for %s", text, name);
		return blame(f, key);
	}
	*out = (uint32_t)n;
	*given = true;
	return 0;
}

static int take_numbers(struct run_mount *m, struct fields *f, struct error *err)
{
	static const mode_t modes[] = {0, 0755, 0, 0400, 0600};
	const char *mode = f->values[KEY_MODE];
	uint64_t n;

	m->mode = modes[m->kind];
	if (mode) {
		if (!value_number(&n, mode, 8, 07777)) {
			error_set(err, ERROR_SYNTAX, "invalid value %s for mode", mode);
			return blame(f, KEY_MODE);
		}
		m->mode = (mode_t)n;
		m->has_mode = true;
	}
	if (take_id(f, KEY_UID, "uid", &m->uid, &m->has_uid, err) < 0 ||
	    take_id(f, KEY_GID, "gid", &m->gid, &m->has_gid, err) < 0)
		return -1;
	if (f->values[KEY_SIZE] && value_size(&m->size, f->values[KEY_SIZE], err) < 0) {
		error_wrap(err, "invalid value for size");
		return blame(f, KEY_SIZE);
	}
	return 0;
}

static int take_secret(struct run_mount *m, struct fields *f, struct error *err)
{
	char **source = &f->values[KEY_SOURCE], **id = &f->values[KEY_ID];
	const char *target = f->values[KEY_TARGET];

	if (*source && **source && *id && **id)
		return error_set(err, ERROR_SYNTAX, "both source and id can't be set");
	if (*id && **id)
		m->id = take_ptr(*id);
	else if (*source && **source)
		m->id = take_ptr(*source);
	else if (target && *target)
		m->id = xstrdup(path_base(target));
	else
		return error_set(err, ERROR_SYNTAX,
				 "invalid secret mount. one of source, target required");
	m->env = take_ptr(f->values[KEY_ENV]);
	if (m->env && (!*m->env || strchr(m->env, '='))) {
		error_set(err, ERROR_SYNTAX,
			  "invalid secret mount: env=%s is no name of a variable", m->env);
		return blame(f, KEY_ENV);
	}
	if (target && *target)
		m->target = xstrdup(target);
	else if (!m->env)
		m->target = xstrfmt("/run/secrets/%s", path_base(m->id));
	return 0;
}

static int take_sharing(struct run_mount *m, struct fields *f, struct error *err)
{
	const char *text = f->values[KEY_SHARING];
	int i = text ? find_name(text, sharing_names, ARRAY_SIZE(sharing_names)) : MOUNT_SHARED;

	if (i < 0) {
		AUTO_FREE char *hint = suggestion(text, sharing_names, ARRAY_SIZE(sharing_names));

		error_set(err, ERROR_SYNTAX, "unsupported sharing value \"%s\"%s", text, hint);
		return blame(f, KEY_SHARING);
	}
	m->sharing = (enum mount_sharing)i;
	return 0;
}

static int take_places(struct run_mount *m, struct fields *f, struct error *err)
{
	const char *target = f->values[KEY_TARGET], *id = f->values[KEY_ID];

	if (m->kind == MOUNT_SECRET)
		return take_secret(m, f, err);
	if (m->kind == MOUNT_SSH) {
		m->id = xstrdup(id && *id ? id : "default");
		m->target = target && *target ? xstrdup(target) : NULL;
		return 0;
	}
	m->source = path_clean_absolute(f->values[KEY_SOURCE] ? f->values[KEY_SOURCE] : "");
	m->target = xstrdup(target ? target : "");
	if (m->kind == MOUNT_CACHE)
		m->id = id && *id ? xstrdup(id) : path_clean(m->target);
	return 0;
}

static int mount_read(struct run_mount *m, const char *text, const struct expand_scope *scope,
		      struct fields *f, struct error *err)
{
	AUTO(words) words = WORDS_INIT;
	size_t i;

	if (words_csv(&words, text, err) < 0)
		return error_wrap(err, "failed to parse csv mounts");
	for (i = 0; i < words.n; i++) {
		f->wrong = words.items[i].at;
		if (take_field(f, words.items[i].text, scope, err) < 0)
			return -1;
	}
	f->wrong = 0;
	if (take_kind(m, f, err) < 0)
		return -1;
	if (f->values[KEY_FROM] && *f->values[KEY_FROM])
		m->from = take_ptr(f->values[KEY_FROM]);
	/* Which keys fit depends on a type that is not known yet. */
	if (!scope && f->given[KEY_TYPE] && !f->values[KEY_TYPE])
		return 0;
	if (check_keys(m->kind, f, err) < 0)
		return -1;
	m->required = f->values[KEY_REQUIRED] && strcmp(f->values[KEY_REQUIRED], "true") == 0;
	m->readonly = m->kind != MOUNT_CACHE && m->kind != MOUNT_TMPFS;
	if (f->given[KEY_READONLY] || f->given[KEY_READWRITE])
		m->readonly = !f->read_write;
	if (take_sharing(m, f, err) < 0 || take_numbers(m, f, err) < 0)
		return -1;
	/* Defaults depend on values that are not known yet. */
	if (!scope && strchr(text, '$'))
		return 0;
	return take_places(m, f, err);
}

int mount_parse(struct run_mount *out, const char *text, const struct expand_scope *scope,
		size_t *at, struct error *err)
{
	AUTO(run_mount) m = {.text = xstrdup(text)};
	AUTO(fields) f = {0};

	if (mount_read(&m, text, scope, &f, err) < 0) {
		if (at)
			*at = f.wrong;
		return -1;
	}
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

int mount_target(char **out, const struct run_mount *m, const char *workdir, struct error *err)
{
	AUTO_FREE char *target = NULL;

	if (!m->target)
		return error_set(err, ERROR_SYNTAX, "this %s mount has no target",
				 kind_names[m->kind]);
	target = path_resolve(workdir, m->target);
	if (strcmp(target, "/") == 0)
		return error_set(
			err, ERROR_SYNTAX,
			"invalid mount target \"/\": target= names the folder to mount on");
	*out = take_ptr(target);
	return 0;
}
