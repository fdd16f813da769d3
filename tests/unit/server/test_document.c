#include "server/document.h"

#include "tests/unit/base/testing.h"

#define D      "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define OTHER  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CONFIG "\"config\":{\"mediaType\":\"application/x.config\",\"digest\":\"" D "\",\"size\":2}"
#define HEAD   "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
#define INDEX  "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]"
#define SUBJECT \
	"\"subject\":{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" OTHER "\",\"size\":1}"

static void test_rows(void **state)
{
	static const struct {
		const char *text, *type;
		enum error_kind kind;
		const char *subject, *descriptor; /* what follows the size */
	} ROWS[] = {
		{HEAD CONFIG ",\"layers\":[]}", MEDIA_OCI_MANIFEST, ERROR_NONE, "",
		 ",\"artifactType\":\"application/x.config\"}"},
		{HEAD CONFIG ",\"layers\":[],\"artifactType\":\"a/b\"," SUBJECT "}", NULL,
		 ERROR_NONE, OTHER, ",\"artifactType\":\"a/b\"}"},
		{HEAD CONFIG ",\"layers\":[],\"artifactType\":\"\",\"subject\":null}", NULL,
		 ERROR_NONE, "", ",\"artifactType\":\"application/x.config\"}"},
		{HEAD CONFIG ",\"layers\":[],\"annotations\":{\"b\":\"1\",\"a\":\"2\"}}", NULL,
		 ERROR_NONE, "",
		 ",\"annotations\":{\"b\":\"1\",\"a\":\"2\"},\"artifactType\":\"application/x.config\"}"},
		{INDEX "}", MEDIA_OCI_INDEX, ERROR_NONE, "", "}"},
		{INDEX ",\"artifactType\":\"a/b\"," SUBJECT "}", NULL, ERROR_NONE, OTHER,
		 ",\"artifactType\":\"a/b\"}"},
		{HEAD CONFIG ",\"layers\":[]}", MEDIA_OCI_INDEX, ERROR_CORRUPT, "", ""},
		{HEAD CONFIG ",\"layers\":[],\"subject\":{\"digest\":\"x\"}}", NULL, ERROR_CORRUPT,
		 "", ""},
		{HEAD CONFIG ",\"layers\":[],\"subject\":1}", NULL, ERROR_CORRUPT, "", ""},
		{"", NULL, ERROR_CORRUPT, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strbuf) text = STRBUF_INIT;
		AUTO(document) doc = {.descriptor = STRBUF_INIT};
		AUTO(error) err = ERROR_INIT;
		struct digest d = digest_of(ROWS[i].text, strlen(ROWS[i].text)), subject;

		strbuf_puts(&text, ROWS[i].text);
		document_parse(&doc, &text, ROWS[i].type, &d, &err);
		if (err.kind != ROWS[i].kind)
			fail_msg("%s: %s", ROWS[i].text, err.message);
		if (err.kind != ERROR_NONE)
			continue;
		assert_string_equal(doc.subject.text, ROWS[i].subject);
		assert_int_equal(document_subject(&text, &subject), *ROWS[i].subject != '\0');
		AUTO_FREE char *want = xstrfmt(
			"{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s", doc.media_type,
			d.text, text.len, ROWS[i].descriptor);

		assert_string_equal(doc.descriptor.buf, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
