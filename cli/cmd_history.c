#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/table.h"

static const struct command_usage usage = {
	.name = "history",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show the history of an image",
	.min_args = 1,
	.max_args = 1,
};

#define CREATED_BY_WIDTH 45

static void add_row(struct table *t, const struct history *h, const char *id, int64_t size,
		    bool no_trunc)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) size_text = STRBUF_INIT;
	AUTO_FREE char *shown = no_trunc ? xstrdup(id) : xstrndup(id, 12);
	char ago[TIME_TEXT_SIZE] = "N/A";
	int64_t when;

	strbuf_puts(&text, h->created_by ? h->created_by : "");
	if (!no_trunc && text.len > CREATED_BY_WIDTH) {
		size_t at = CREATED_BY_WIDTH - 3;

		/* never inside a character */
		while (at > 0 && ((unsigned char)text.buf[at] & 0xc0) == 0x80)
			at--;
		strbuf_truncate(&text, at);
		strbuf_puts(&text, "...");
	}
	if (h->created && time_parse(h->created, &when, NULL) == 0)
		time_format_ago(time_now() - when, ago);
	strbuf_add_size(&size_text, size);
	table_add(t, (const char *[]){shown, ago, text.buf, size_text.buf,
				      h->comment ? h->comment : ""});
}

int cmd_history(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO_PTR(image) image = NULL;
	AUTO(table) t = {.columns = 5};
	const char *platform = NULL;
	bool no_trunc = false, quiet = false;
	struct option options[] = {
		{0, "no-trunc", OPTION_FLAG, NULL, "Do not shorten the output", &no_trunc},
		{0, "platform", OPTION_STRING, "OS/ARCH",
		 "Choose this platform of a multi-platform image", &platform},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only IDs", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);
	size_t layer;
	bool first = true;

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_load_image(a, args.items[0], platform, NULL, &image, err) < 0)
		return -1;
	layer = image->manifest.n_layers;
	table_add(&t, (const char *[]){"IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"});
	for (size_t i = image->config.n_history; i-- > 0;) {
		const struct history *h = &image->config.history[i];
		const struct digest *config = &image->manifest.config.digest;
		const char *id = !first     ? "<missing>"
				 : no_trunc ? config->text
					    : digest_hex(config);
		int64_t size = 0;

		if (!h->empty_layer && layer > 0)
			size = image->manifest.layers[--layer].size;
		first = false;
		if (quiet)
			printf("%.*s\n", no_trunc ? 71 : 12, id);
		else
			add_row(&t, h, id, size, no_trunc);
	}
	if (!quiet)
		table_print(&t);
	return 0;
}
