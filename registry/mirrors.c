#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "registry/mirrors_private.h"

struct mirror_rule *mirror_rule_new(struct mirror_rule **list, size_t *n, size_t *cap)
{
	GROW(*list, *n + 1, *cap);
	(*list)[*n] = (struct mirror_rule){0};
	return &(*list)[(*n)++];
}

struct mirror *mirror_new(struct mirror_rule *rule)
{
	GROW(rule->mirrors, rule->n_mirrors + 1, rule->cap);
	rule->mirrors[rule->n_mirrors] = (struct mirror){0};
	return &rule->mirrors[rule->n_mirrors++];
}

void mirror_rule_release(struct mirror_rule *rule)
{
	for (size_t i = 0; i < rule->n_mirrors; i++)
		free(rule->mirrors[i].location);
	free(rule->mirrors);
	free(rule->prefix);
	free(rule->location);
	free(rule->where);
	*rule = (struct mirror_rule){0};
}

struct mirrors *mirrors_new(void)
{
	return xcalloc(1, sizeof(struct mirrors));
}

void mirrors_free(struct mirrors *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_rules; i++)
		mirror_rule_release(&m->rules[i]);
	for (size_t i = 0; i < m->n_options; i++)
		mirror_rule_release(&m->options[i]);
	free(m->rules);
	free(m->options);
	free(m->search_list);
	free(m);
}

/* HOST[:PORT][/PATH] without a scheme, which would be taken for a host. */
static bool is_place(const char *text)
{
	return *text && *text != '/' && !strstr(text, "://") && !strchr(text, ' ');
}

int mirrors_add(struct mirrors *m, const char *option, struct error *err)
{
	const char *equals = strchr(option, '=');
	AUTO_FREE char *prefix = equals ? xstrndup(option, (size_t)(equals - option)) : NULL;
	struct mirror_rule *rule = NULL;
	struct mirror *mirror;

	if (!equals || !is_place(prefix) || !is_place(equals + 1))
		return error_set(err, ERROR_USAGE,
				 "invalid --mirror \"%s\": NAME=HOST[/PREFIX], as in "
				 "docker.io=mirror.example.com/hub",
				 option);
	for (size_t i = 0; i < m->n_options && !rule; i++)
		if (strcmp(m->options[i].prefix, prefix) == 0)
			rule = &m->options[i];
	if (!rule) {
		rule = mirror_rule_new(&m->options, &m->n_options, &m->options_cap);
		rule->prefix = take_ptr(prefix);
	}
	mirror = mirror_new(rule);
	mirror->location = xstrdup(equals + 1);
	return 0;
}

const char *mirrors_search_list(const struct mirrors *m)
{
	return m ? m->search_list : NULL;
}

bool mirrors_any(const struct mirrors *m)
{
	return m->n_rules || m->n_options || m->search_list;
}

static bool is_host_of(const char *place, const char *host)
{
	size_t n = strcspn(place, "/");

	return strlen(host) == n && strncasecmp(place, host, n) == 0;
}

bool mirrors_insecure(const struct mirrors *m, const char *host)
{
	for (size_t i = 0; m && i < m->n_rules; i++) {
		const struct mirror_rule *rule = &m->rules[i];

		if (rule->insecure &&
		    is_host_of(rule->location ? rule->location : rule->prefix, host))
			return true;
		for (size_t k = 0; k < rule->n_mirrors; k++)
			if (rule->mirrors[k].insecure &&
			    is_host_of(rule->mirrors[k].location, host))
				return true;
	}
	return false;
}

/* How much of the name the prefix covers; 0: it does not match. */
static size_t match(const char *prefix, const char *name)
{
	size_t n = strlen(prefix);

	if (strncmp(prefix, "*.", 2) == 0) {
		size_t host = strcspn(name, "/");

		/* ".example.com" ends the host, and something goes before it. */
		if (host > n - 1 && strncmp(name + host - (n - 1), prefix + 1, n - 1) == 0)
			return host;
		return 0;
	}
	return strncmp(prefix, name, n) == 0 && (name[n] == '/' || !name[n]) ? n : 0;
}

static const struct mirror_rule *find_rule(const struct mirror_rule *rules, size_t n,
					   const char *name)
{
	const struct mirror_rule *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (match(rules[i].prefix, name) &&
		    (!best || strlen(rules[i].prefix) >= strlen(best->prefix)))
			best = &rules[i];
	}
	return best;
}

/* The name with place instead of what the prefix covers, as one more endpoint. */
static int add_endpoint(struct endpoints *out, const struct image_ref *ref, const char *place,
			const char *rest, bool is_mirror, struct error *err)
{
	AUTO_FREE char *name = xstrfmt("%s%s", place, rest);
	AUTO_FREE char *check = NULL;
	AUTO(image_ref) parsed = {0};
	char *slash = strchr(name, '/');
	struct endpoint *e;

	if (!slash)
		return error_set(err, ERROR_USAGE, "mirror %s: there is no repository in it", name);
	/* A host without a dot is one all the same: only the path is held against the rules of names. */
	check = xstrfmt("host.invalid%s", slash);
	if (image_ref_parse(&parsed, check, err) < 0)
		return error_wrap(err, "mirror %s", name);
	*slash = '\0';
	out->items = xreallocarray(out->items, out->n + 1, sizeof(*out->items));
	e = &out->items[out->n++];
	*e = (struct endpoint){.is_mirror = is_mirror};
	image_ref_copy(&e->ref, ref);
	free(e->ref.host);
	free(e->ref.path);
	e->ref.host = xstrdup(name);
	e->ref.path = xstrdup(slash + 1);
	return 0;
}

static int add_mirrors(struct endpoints *out, const struct mirror_rule *rule,
		       const struct image_ref *ref, const char *name, bool by_digest,
		       struct error *err)
{
	for (size_t i = 0; rule && i < rule->n_mirrors; i++) {
		const struct mirror *m = &rule->mirrors[i];

		if ((m->use == MIRROR_FOR_DIGESTS || rule->digests_only) && !by_digest)
			continue;
		if (m->use == MIRROR_FOR_TAGS && by_digest)
			continue;
		if (add_endpoint(out, ref, m->location, name + match(rule->prefix, name), true,
				 err) < 0)
			return -1;
	}
	return 0;
}

int mirrors_find(const struct mirrors *m, const struct image_ref *ref, bool by_digest,
		 struct endpoints *out, struct error *err)
{
	AUTO_FREE char *name = xstrfmt("%s/%s", ref->host, ref->path);
	const struct mirror_rule *option = m ? find_rule(m->options, m->n_options, name) : NULL;
	const struct mirror_rule *rule = m ? find_rule(m->rules, m->n_rules, name) : NULL;
	size_t covered = rule && rule->location ? match(rule->prefix, name) : 0;

	if (rule && rule->blocked)
		return error_set(err, ERROR_DENIED, "%s is blocked by %s", name, rule->where);
	if (add_mirrors(out, option, ref, name, by_digest, err) < 0 ||
	    add_mirrors(out, rule, ref, name, by_digest, err) < 0)
		return -1;
	return add_endpoint(out, ref, covered ? rule->location : "", name + covered, false, err);
}

void endpoints_release(struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		image_ref_release(&e->items[i].ref);
	free(e->items);
	*e = (struct endpoints){0};
}
