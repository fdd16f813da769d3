#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/terminal_view.h"

static const struct command_usage usage = {
	.name = "history",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show the history of an image",
	.min_args = 1,
	.max_args = 1,
};

#define CREATED_BY_WIDTH 45

static void print_row(const struct history *h, const char *id, int64_t size, bool no_trunc)
{
	char ago[TIME_TEXT_SIZE] = "N/A";
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) size_text = STRBUF_INIT;
	const char *created_by = h->created_by ? h->created_by : "";
	int64_t when;

	strbuf_add_printable(&text, created_by, strlen(created_by), false);
	if (!no_trunc && text.len > CREATED_BY_WIDTH) {
		strbuf_truncate(&text, CREATED_BY_WIDTH - 3);
		strbuf_puts(&text, "...");
	}
	if (h->created && time_parse(h->created, &when, NULL) == 0)
		time_format_ago(time_now() - when, ago);
	format_size(&size_text, size);
	printf("%-*.*s   %-16s   %-*s   %-9s %s\n", no_trunc ? 71 : 12, no_trunc ? 71 : 12, id, ago,
	       CREATED_BY_WIDTH, text.buf, size_text.buf, h->comment ? h->comment : "");
}

int cmd_history(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO_PTR(image) image = NULL;
	bool no_trunc = false, quiet = false;
	struct option options[] = {
		{0, "no-trunc", OPTION_FLAG, NULL, "Do not shorten the output", &no_trunc},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only IDs", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);
	size_t layer;
	bool first = true;

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_load_image(a, args.items[0], &image, err) < 0)
		return -1;
	layer = image->manifest.n_layers;
	if (!quiet)
		printf("%-*s   %-16s   %-*s   %-9s COMMENT\n", no_trunc ? 71 : 12, "IMAGE",
		       "CREATED", CREATED_BY_WIDTH, "CREATED BY", "SIZE");
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
			print_row(h, id, size, no_trunc);
	}
	return 0;
}
