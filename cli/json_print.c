#include "cli/json_print.h"

#include <stdio.h>

void json_print(const json_t *json)
{
	AUTO(strbuf) text = STRBUF_INIT;

	json_write_pretty(json, &text);
	fwrite(text.buf, 1, text.len, stdout);
}
