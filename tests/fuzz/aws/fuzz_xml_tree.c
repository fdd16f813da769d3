/* What a query service of AWS, or whoever stands in its place, answers: a tree that can be written as JSON, or an error. */
#include <stdint.h>
#include <stdlib.h>

#include "aws/xml_tree.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON *tree = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	if (xml_tree_read(&tree, (const char *)data, size, "GetRole", &err) < 0) {
		if (!err.message || err.kind != ERROR_CORRUPT)
			abort();
		return 0;
	}
	json_write(tree, &text);
	if (text.len == 0)
		abort();
	return 0;
}
