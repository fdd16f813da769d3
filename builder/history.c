#include "builder/history.h"

#include <string.h>

#include "base/time.h"
#include "base/utf8.h"

static void begin(struct strbuf *out, const struct instruction *ins)
{
	strbuf_reset(out);
	strbuf_puts(out, instruction_name(ins->kind));
}

void history_run(struct strbuf *out, const struct scope *scope, const struct strlist *argv)
{
	AUTO_FREE char *command = strlist_join(argv, " ");

	strbuf_reset(out);
	strbuf_puts(out, "RUN ");
	scope_history(scope, out);
	strbuf_puts(out, command);
	strbuf_puts(out, " # buildkit");
}

void history_copy(struct strbuf *out, const struct instruction *ins)
{
	const struct copy_instruction *c = &ins->copy;

	begin(out, ins);
	if (c->parents)
		strbuf_puts(out, " --parents");
	if (c->chown)
		strbuf_printf(out, " --chown=%s", c->chown);
	if (c->chmod_text)
		strbuf_printf(out, " --chmod=%s", c->chmod_text);
	for (size_t i = 0; i < c->sources.n; i++)
		strbuf_printf(out, " %s", c->sources.items[i]);
	for (size_t i = 0; i < c->n_heredocs; i++)
		strbuf_printf(out, " <<%s", c->heredocs[i].name);
	strbuf_printf(out, " %s # buildkit", c->dest);
}

void history_value(struct strbuf *out, const struct instruction *ins, const char *value)
{
	begin(out, ins);
	strbuf_printf(out, " %s", value);
}

void history_pairs(struct strbuf *out, const struct instruction *ins)
{
	begin(out, ins);
	for (size_t i = 0; i < ins->pairs.n; i++)
		strbuf_printf(out, " %s=%s", ins->pairs.items[i].key, ins->pairs.items[i].value);
}

void history_arg_add(struct strbuf *out, const char *key, const char *value)
{
	if (!out->len)
		strbuf_puts(out, "ARG");
	strbuf_printf(out, " %s", key);
	if (value)
		strbuf_printf(out, "=%s", value);
}

/* Spaces other than " ", format characters and private use: what Go's unicode.IsPrint refuses. */
static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0x00, 0x1f},     {0x7f, 0xa0},       {0xad, 0xad},        {0x600, 0x605},
		{0x61c, 0x61c},   {0x6dd, 0x6dd},     {0x70f, 0x70f},      {0x1680, 0x1680},
		{0x180e, 0x180e}, {0x2000, 0x200f},   {0x2028, 0x202f},    {0x205f, 0x206f},
		{0x3000, 0x3000}, {0xe000, 0xf8ff},   {0xfeff, 0xfeff},    {0xfff0, 0xfffb},
		{0xfffe, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

/* Go's strconv.Quote. */
static void quote(struct strbuf *out, const char *s)
{
	static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";
	size_t len = strlen(s);

	strbuf_putc(out, '"');
	while (len) {
		uint32_t code;
		size_t n = utf8_decode(s, len, &code);
		const char *found = NULL;

		for (size_t i = 0; n == 1 && named[i]; i += 2)
			if (named[i] == *s)
				found = &named[i + 1];
		if (found)
			strbuf_printf(out, "\\%c", *found);
		else if (n && is_printable(code))
			strbuf_add(out, s, n);
		else if (n <= 1)
			strbuf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			strbuf_printf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
		s += n ? n : 1;
		len -= n ? n : 1;
	}
	strbuf_putc(out, '"');
}

void history_argv(struct strbuf *out, const struct instruction *ins, const struct strlist *argv)
{
	begin(out, ins);
	strbuf_puts(out, " [");
	for (size_t i = 0; i < argv->n; i++) {
		if (i)
			strbuf_putc(out, ' ');
		quote(out, argv->items[i]);
	}
	strbuf_putc(out, ']');
}

static void add_list(struct strbuf *out, const struct strlist *items)
{
	AUTO_FREE char *joined = strlist_join(items, " ");

	strbuf_printf(out, "[%s]", joined);
}

void history_list(struct strbuf *out, const struct instruction *ins, const struct strlist *items)
{
	begin(out, ins);
	strbuf_putc(out, ' ');
	add_list(out, items);
}

static void add_duration(struct strbuf *out, const char *name, int64_t ns)
{
	char text[TIME_TEXT_SIZE];

	time_format_duration(ns, text);
	strbuf_printf(out, " %s:%s", name, text);
}

void history_healthcheck(struct strbuf *out, const struct healthcheck *h)
{
	strbuf_reset(out);
	strbuf_puts(out, "HEALTHCHECK {Test:");
	add_list(out, &h->test);
	add_duration(out, "Interval", h->interval);
	add_duration(out, "Timeout", h->timeout);
	add_duration(out, "StartPeriod", h->start_period);
	add_duration(out, "StartInterval", h->start_interval);
	strbuf_printf(out, " Retries:%lld}", (long long)h->retries);
}
