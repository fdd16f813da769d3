#include "dockerfile/check_run.h"

#include "testing.h"

/* What the RUN is told, "" when nothing: the quoted command, and the mount. */
static void advise(struct strbuf *out, const char *run)
{
	AUTO_FREE char *text = xstrfmt("FROM a\n%s\n", run);
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(check_list) list = CHECK_LIST_INIT;
	const struct instruction *ins;

	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	ins = &file->stages[0].instructions[0];
	check_run(&list, ins, &ins->run);
	assert_true(list.n <= 1);
	if (!list.n)
		return;
	assert_int_equal(list.items[0].line_first, 2);
	assert_int_equal(check_rule_info(list.items[0].rule)->level, CHECK_SUGGESTION);
	strbuf_puts(out, list.items[0].message);
}

static void package_managers(void **state)
{
	static const struct row rows[] = {
		{"RUN apt-get update && apt-get install -y curl",
		 "\"apt-get install\" downloads again what an earlier build had: RUN "
		 "--mount=type=cache,target=/var/cache/apt,sharing=locked keeps it"},
		{"RUN apt-get -qq -y install curl", "apt-get install"},
		{"RUN DEBIAN_FRONTEND=noninteractive apt-get install curl", "apt-get install"},
		{"RUN set -e; if true; then apt install curl; fi", "apt install"},
		{"RUN [\"/usr/bin/apt-get\", \"install\", \"curl\"]", "apt-get install"},
		{"RUN <<EOF\nset -e\napt-get install curl\nEOF", "apt-get install"},
		{"RUN <<EOF\n#!/bin/bash\nnpm ci\nEOF", "npm ci"},
		{"RUN sudo pip3 install -r requirements.txt", "pip3 install"},
		{"RUN python3 -m pip install x", "target=/root/.cache/pip"},
		{"RUN (cd a && go mod download)", "go mod"},
		{"RUN cargo build --release", "target=/usr/local/cargo/registry"},
		{"RUN ./mvnw -q package", "\"mvnw\" downloads"},
		{"RUN apk add curl", "apk add"},
		{"RUN --mount=type=bind,target=/src npm install", "npm install"},
		{"RUN --mount=type=cache,target=/root/.npm npm install", ""},
		{"RUN --network=none go build", ""},
		{"RUN apt-get update", ""},
		{"RUN pip install --no-cache-dir x", ""},
		{"RUN apk add --no-cache curl", ""},
		{"RUN echo apt-get install curl", ""},
		{"RUN echo 'RUN apt-get install' > x", ""},
		{"RUN npm run build", ""},
		{"RUN mvn --version", ""},
		{"RUN go version", ""},
		{"RUN make", ""},
		{"RUN [\"sh\"]", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		advise(&out, rows[i].text);
		if (*rows[i].expected ? !strstr(out.buf, rows[i].expected) : out.len > 0)
			fail_msg("%s: %s", rows[i].text, out.buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(package_managers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
