/* The connection: made when it is needed, found again when the daemon was away; and what it says of a transaction. */
#include <string.h>

#include "client/ctl/shell.h"

int shell_connect(struct shell *s)
{
	struct ctl *c = s->ctl;
	int code;

	if (c->conn)
		return 0;
	code = ctl_open_as(c, s->readonly ? ALTERD_READONLY : 0, &c->conn);
	if (code)
		return code;
	if (s->was_connected && s->interactive)
		note(c, "connected again");
	s->was_connected = true;
	if (strcmp(alterd_role(c->conn), "ro") == 0)
		s->readonly = true;
	return 0;
}

void shell_look_at_link(struct shell *s)
{
	struct ctl *c = s->ctl;
	int code = c->conn ? alterd_error_code(c->conn) : 0;

	if (code != ALTERD_E_CLOSED && code != ALTERD_E_PROTOCOL && code != ALTERD_E_NO_MEMORY)
		return;
	alterd_close(c->conn);
	c->conn = NULL;
	if (s->tx != SHELL_TX_NONE)
		say("the transaction is lost: it was rolled back");
	s->tx = SHELL_TX_NONE;
	if (s->interactive)
		note(c, "the next statement connects again");
}

static bool is_in(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* What the daemon says of this session: 1 a transaction is open, 0 none, -1 it does not say. */
static int ask_for_tx(struct shell *s)
{
	struct error err = {0};
	struct doc *d = NULL;
	const char *text;
	int open = -1;

	if (alterd_call(s->ctl->conn, "sessions", NULL, &text) != 0)
		return -1;
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		error_clear(&err);
		return -1;
	}
	const struct doc_node *all = doc_get(doc_root(d), "sessions");
	for (size_t i = 0; i < doc_count(all); i++) {
		const struct doc_node *one = doc_at(all, i);

		if (strcmp(doc_str(doc_get(one, "session"), ""), alterd_session(s->ctl->conn)) == 0)
			open = doc_get(one, "tx_s") != NULL;
	}
	doc_free(d);
	return open;
}

void shell_look_at_tx(struct shell *s, const char *word, bool failed)
{
	static const char *const begin[] = {"BEGIN", "SAVEPOINT", NULL};
	static const char *const end[] = {"COMMIT", "END", "ROLLBACK", "RELEASE", NULL};
	/* By the word alone one cannot say what these do: a savepoint may be an inner one. */
	static const char *const maybe[] = {"ROLLBACK", "RELEASE", NULL};
	int open;

	if (!s->ctl->conn || (s->tx == SHELL_TX_NONE && !is_in(word, begin)))
		return;
	if (!s->interactive && !is_in(word, maybe)) {
		/* A script has no prompt that would have to be right. */
		if (!failed && is_in(word, begin))
			s->tx = SHELL_TX_OPEN;
		else if (!failed && is_in(word, end))
			s->tx = SHELL_TX_NONE;
		return;
	}
	open = ask_for_tx(s);
	if (open == 1)
		s->tx = SHELL_TX_OPEN;
	else if (open == 0 && ((!failed && is_in(word, end)) || (failed && is_in(word, begin))))
		s->tx = SHELL_TX_NONE;
	else if (open == 0 && s->tx == SHELL_TX_OPEN)
		s->tx = SHELL_TX_FAILED;
	shell_look_at_link(s);
}

int shell_query(struct shell *s, const char *sql, const char *const *binds, struct alterd_result **ret)
{
	struct alterd_value values[8];
	size_t n = 0;
	int code = shell_connect(s);

	if (code)
		return code;
	for (; binds && binds[n]; n++)
		values[n] = alterd_text(binds[n]);
	cancel_watch(s->ctl->conn);
	if (alterd_query(s->ctl->conn, sql, values, n, ret) == 0)
		return 0;
	cancel_unwatch();
	code = ctl_failed(s->ctl, s->ctl->conn);
	shell_look_at_link(s);
	return code;
}

int shell_show(struct shell *s, const char *sql, const char *const *binds, enum render_mode mode)
{
	struct render_look look = s->look;
	struct alterd_result *r = NULL;
	int code = shell_query(s, sql, binds, &r);

	if (code)
		return code;
	render_set_mode(&look, mode);
	look.headers = true;
	if (shell_rows(s, &look, r) != 0)
		code = ctl_failed(s->ctl, s->ctl->conn);
	alterd_result_free(r);
	cancel_unwatch();
	shell_look_at_link(s);
	return code;
}
