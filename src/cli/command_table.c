/* The commands in one table: what each is called, takes and is for. */
#include "cli/commands.h"

#define BIT(option) CLI_OPTION_BIT(option)
#define FORMS       (BIT(JSON) | BIT(JSONL) | BIT(CSV))

/* Of what saves. */
#define SAVES (BIT(JOURNAL) | BIT(NOTIFY) | BIT(CHANNEL))

const cli_command cli_commands[] = {
    {"chat", "[MESSAGE …]", 0, 4096,
     BIT(PROVIDER) | BIT(MODEL) | BIT(BASE_URL) | BIT(SYSTEM) | BIT(SESSION) | BIT(USER) |
         BIT(TURN_ID) | BIT(INSTEAD_OF) | BIT(NO_STREAM) | BIT(TIMEOUT) | BIT(CONTEXT_TOKENS) |
         BIT(SUMMARY_TOKENS) | SAVES | BIT(REDACT) | BIT(JSON),
     "talk with a model; every turn is saved",
     "With a message, or one piped in, it does one turn and prints the reply. On a "
     "terminal without a message it is a conversation: Ctrl-C interrupts a reply (what "
     "came is saved), Ctrl-D ends. Standard output holds nothing but replies.\n"
     "\n"
     "The key comes from OPENAI_API_KEY only, never from an option. OPENAI_BASE_URL or "
     "--base-url names another endpoint that speaks OpenAI's chat completions. --session "
     "goes on with a session, or begins it with this id. --instead-of branches off: MESSAGE "
     "takes the place of an earlier question of the session, whose id `history --json` "
     "shows; without MESSAGE the question is asked again as it is, and an answer's id gets "
     "another answer. What was said stays.\n"
     "\n"
     "Without --context-tokens the last 50 messages are sent along; with it the latest summary "
     "of the session, and of these messages as many as fit. --summary-tokens lets summaries be "
     "made; a single turn waits for its own behind the reply.\n"
     "\n"
     "  conversation chat --model gpt-4o-mini \"Where is my order?\"\n"
     "  git diff | conversation chat --model gpt-4o-mini --system \"Review this diff.\"\n"
     "  conversation chat --provider echo --session support-42 hello\n",
     cli_chat},
    {"replay", "FILE", 1, 1, BIT(JOBS) | SAVES | BIT(REDACT) | BIT(JSON),
     "run recorded conversations through process_message",
     "FILE holds a conversation a line: {\"id\", \"user\", \"model\", \"messages\": […]}; "
     "\"-\" is standard input. Each turn is answered by the recording itself and saved "
     "like any other. Turn ids derive from the conversation's id and the turn's number: "
     "replaying again, or after a crash, adds what is missing and nothing else.\n"
     "\n"
     "A conversation that can't be read or saved is named on standard error; the others go "
     "on, and the exit code is 1. Ctrl-C lets the turns under way finish.\n",
     cli_replay},
    {"import", "FILE", 1, 1, BIT(JOBS) | SAVES | BIT(JSON),
     "save conversations that took place elsewhere",
     "FILE is JSON Lines as for replay, ChatGPT's conversations.json or ShareGPT; \"-\" is "
     "standard input. Nobody is asked: questions and answers are saved as they are, each "
     "exchange once, also when the same file is imported again.\n",
     cli_import},
    {"export", "", 0, 0, BIT(SESSION) | BIT(USER) | BIT(OUTPUT), "write sessions as JSON Lines",
     "Writes a session a line, oldest first, with the ids as they were given and every "
     "text as it came in. import and replay read it back. --session and --user choose. "
     "With --output the file appears whole or not at all.\n",
     cli_export},
    {"history", "SESSION", 1, 1,
     BIT(LIMIT) | BIT(AFTER) | BIT(BEFORE) | BIT(LAST) | BIT(BRANCH) | BIT(BRANCHES) | BIT(JSON) |
         BIT(JSONL),
     "show the messages of a session",
     "Shows all messages, or --limit N of them; --after and --before take a position, the "
     "number behind # in the output. Of a session with branches it shows all of them in the "
     "order in which they were said; --branch shows one, and --branches where each ends. What "
     "could steer the terminal is shown as an escape; "
     "--json and --jsonl give the exact texts.\n",
     cli_history},
    {"sessions",
     "[list] | search QUERY … | rename SESSION TITLE | tag SESSION TAG | untag SESSION TAG | "
     "archive SESSION | unarchive SESSION",
     0, 4096, BIT(USER) | BIT(SESSION) | BIT(TAG) | BIT(ARCHIVED) | BIT(LIMIT) | SAVES | FORMS,
     "list, search, rename, tag and archive sessions",
     "list shows the newest 50, or --limit N, newest change first. Ids are shown "
     "as they were given. Archived sessions are left out unless --archived asks for them.\n"
     "\n"
     "search finds messages that hold all words of QUERY, newest first: \"words in quotes\" "
     "must stand together, word* also finds longer ones; --user and --session choose. The "
     "words of what was saved since the last search are indexed first.\n"
     "\n"
     "With --journal what waits there is saved before a session is renamed, tagged or archived; "
     "the change itself is stored or not, and never waits.\n"
     "\n"
     "  conversation sessions search refund 'invoice 4711'\n"
     "  conversation sessions tag support-42 urgent\n"
     "  conversation sessions --tag urgent\n",
     cli_sessions},
    {"summaries", "[list] | show SESSION | make SESSION", 0, 2,
     BIT(SESSION) | BIT(LIMIT) | BIT(PROVIDER) | BIT(MODEL) | BIT(BASE_URL) | BIT(CONTEXT_TOKENS) |
         BIT(REDACT) | SAVES | BIT(JSON) | BIT(JSONL),
     "list, show and make summaries of sessions",
     "list shows the newest 50, or --limit N, of all sessions or of --session; show the latest "
     "one of a session with its key points. make asks the provider for a new one now, which "
     "covers what the latest does not; its usage record is saved with it (service summary). With "
     "--redact what looks like an e-mail address, a card number or a key is neither told to the "
     "provider nor kept, also of sessions that were saved without it.\n"
     "\n"
     "With --journal what waits there is saved, too, and the usage record is not lost when the "
     "store goes away after the provider has answered; a summary itself is stored or not, and "
     "never waits.\n"
     "\n"
     "  conversation summaries make support-42 --model gpt-4o-mini\n",
     cli_summaries},
    {"track", "OPERATION", 1, 1,
     BIT(SERVICE) | BIT(MODEL) | BIT(INPUT_TOKENS) | BIT(OUTPUT_TOKENS) | BIT(BYTES) | BIT(COST) |
         BIT(LATENCY) | BIT(STATUS) | BIT(USER) | BIT(SESSION) | BIT(DOCUMENT) | BIT(LOG_ID) |
         BIT(YES) | SAVES | BIT(JSON),
     "record what an operation of a script used and cost",
     "OPERATION is what it is called: chat, embeddings, parse, search, or any other name. What is "
     "not given is unknown, not 0. With --document it is recorded in one transaction with the "
     "change of that document (service documents), which must be there; else the service is "
     "application, unless --service says otherwise.\n"
     "\n"
     "Says what was recorded, and under which id. With --log-id the same command counts once, "
     "however often it is tried. With --journal a record waits there while the store is away; a "
     "document is then left as it is.\n"
     "\n"
     "  conversation track parse --document contract.pdf --bytes 20480 --latency 340\n"
     "  conversation track embeddings --input-tokens 812 --cost 0.000016 --log-id n17\n",
     cli_track},
    {"usage", "[refresh]", 0, 1,
     BIT(BY) | BIT(FROM) | BIT(TO) | BIT(ZONE) | BIT(SERVICE) | BIT(OPERATION) | BIT(MODEL) |
         BIT(USER) | BIT(SESSION) | BIT(LIMIT) | BIT(REBUILD) | BIT(TIMEOUT) | FORMS,
     "sum up tokens and costs",
     "One row for each model, or for what --by names, and their sum. Costs are exact "
     "decimals. \"unpriced\" counts the records whose price nobody knew, \"unreported\" "
     "those without token counts; neither is counted as 0: a sum of nothing known is \"—\" "
     "(null in JSON, empty in CSV). The table leaves out what counts nothing in any row. "
     "Days are those of --zone, else of UTC. A terminal with room for it shows bars, and how "
     "the days went.\n"
     "\n"
     "refresh brings the view daily_usage_summary up to date, for those who read it with "
     "SQL; it costs what is new. With --rebuild it sums the whole ledger: for what "
     "`conversation reconcile` found. This command itself never needs it.\n"
     "\n"
     "  conversation usage --by day --from 2026-11-01 --zone Europe/Berlin\n"
     "  conversation usage refresh\n",
     cli_usage},
    {"reconcile", "", 0, 0, BIT(LIMIT) | BIT(TIMEOUT) | BIT(JSON),
     "prove that summary, ledger and sessions agree",
     "Compares, while others save, each day of daily_usage_summary and the hours under it "
     "with the ledger, each exchange with its usage record and each session's number of "
     "messages with its messages. Names every difference (the first 10000 of a kind, or "
     "--limit N) and changes nothing; exit code 1 if there is one. `conversation usage "
     "refresh --rebuild` mends the summary.\n",
     cli_reconcile},
    {"delete", "SESSION", 1, 1, BIT(YES) | SAVES | BIT(JSON),
     "delete a session with all its messages",
     "Deletes in one transaction and shows what was deleted. Usage records stay: they are "
     "the ledger, and hold no text. Asks before on a terminal; elsewhere it needs --yes. "
     "With --journal what waits there is saved first, and what of the session is stuck "
     "there goes too.\n",
     cli_delete},
    {"erase", "", 0, 0, BIT(USER) | BIT(YES) | SAVES | BIT(JSON), "erase all that a user said",
     "Deletes the sessions of --user and what they said in sessions of others, in one "
     "transaction, and shows what was erased. Usage records stay, so that no sum changes, but "
     "belong to a new random id, without e-mail address. Asks before on a terminal; elsewhere it "
     "needs --yes. With --journal what waits there of the user goes too; a journal that is "
     "drained later drops it by itself.\n",
     cli_erase},
    {"documents", "[list] | show ID | add FILE… | find HASH|FILE | delete ID", 0, 4096,
     BIT(SESSION) | BIT(USER) | BIT(LIMIT) | BIT(ID) | BIT(MEDIA_TYPE) | BIT(YES) | SAVES | FORMS,
     "list, register and delete documents, and show what was done with them",
     "list shows the newest 50, or --limit N, of all, of --session or of --user. show gives one "
     "with all operations on it: tokens, bytes, costs. find lists those with the same content: it "
     "takes a SHA-256 or a file.\n"
     "\n"
     "add registers files: what they are called, their size, their SHA-256 and their type; what "
     "is in them stays where it is. Without --id the id is the path as it was given; the same "
     "file added again is left as it is. delete removes a document's row; usage records stay. It "
     "asks before on a terminal; elsewhere it needs --yes.\n"
     "\n"
     "With --journal what waits there is saved by add and delete, too; a document itself is stored "
     "or not, and never waits.\n"
     "\n"
     "An id belongs to its session: a document that was added with --session is shown and deleted "
     "with it.\n"
     "\n"
     "  conversation documents add --session support-42 contract.pdf\n"
     "  conversation documents show --session support-42 contract.pdf\n",
     cli_documents},
    {"journal", "list | show ENTRY | retry [ENTRY] | drop ENTRY | export", 1, 2,
     SAVES | BIT(ALL) | BIT(LIMIT) | BIT(OUTPUT) | BIT(YES) | BIT(JSON) | BIT(JSONL),
     "look into a journal, and decide about what is stuck",
     "Works on the FILE that --journal names, while no live process has it open.\n"
     "\n"
     "list shows what is in it, oldest first: exchanges and usage records that wait for "
     "the store, turns that were interrupted before their answer, and dead letters, which "
     "the store refused for good. show gives one entry with all it holds.\n"
     "\n"
     "retry brings to the store what waits; with ENTRY or --all an interrupted turn (saved "
     "as failed: the same turn id asks again) or a dead letter too. It ends when nothing "
     "waits any more, or nothing has got through for ten seconds, and says what remains. "
     "drop removes an entry for good: it asks before on a terminal; elsewhere it needs "
     "--yes. export writes all messages that are in the journal as JSON Lines, a session a "
     "line, for import.\n"
     "\n"
     "  conversation journal list --journal app.journal\n"
     "  conversation journal retry --all --journal app.journal --store sqlite:app.db\n",
     cli_journal},
    {"events", "", 0, 0, BIT(KIND) | BIT(CHANNEL) | BIT(LIMIT) | BIT(JSON) | BIT(JSONL),
     "follow what programs and commands tell as it happens",
     "Prints a line for each event that others tell through PostgreSQL: a command with --notify, a "
     "program with conv_event_subscribe_notify. --json and --jsonl print each as it was told, a "
     "JSON object a line. --kind chooses: names or groups with commas between. It goes on until "
     "Ctrl-C, or for --limit N events.\n"
     "\n"
     "What is told while nobody listens is not told again: when the connection is lost, it is made "
     "again, and standard error says that events may have been missed.\n"
     "\n"
     "  conversation events --kind 'exchange.*,health.changed' &\n"
     "  conversation chat --provider echo --notify hello\n",
     cli_events},
    {"doctor", "", 0, 0, BIT(JOURNAL) | BIT(PROVIDER) | BIT(BASE_URL) | BIT(REDACT) | BIT(JSON),
     "check what a turn needs, and show its steps",
     "Shows and checks the store, its schema, the journal of --journal, the provider (which is "
     "not asked), and the steps that a turn passes, in order. It changes nothing in the "
     "store. Exit code 0 also with warnings.\n",
     cli_doctor},
    {"health", "", 0, 0, BIT(JOURNAL) | BIT(PROVIDER) | BIT(MODEL) | BIT(BASE_URL) | BIT(JSON),
     "look whether messages are really being saved",
     "Saves a test exchange as real ones are, reads it back and removes it; then looks at the "
     "schema, the connections and, with --journal FILE, the journal, which no other process may "
     "have open. Nothing of the test remains.\n"
     "\n"
     "With --provider it also asks that provider once, with a few words: this costs what they "
     "cost, and the usage record stays (service health). A provider that fails is degraded; "
     "saving goes on without it, so that the answer stays ready.\n"
     "\n"
     "Exit code 0: ready; something may be degraded, which the table says. 1: not ready. 3: the "
     "store or the journal can't be opened. 5: ready, but the provider that --provider names gave "
     "no answer.\n"
     "\n"
     "  conversation health --provider openai --model gpt-4o-mini\n",
     cli_health},
    {"metrics", "", 0, 0, BIT(JOURNAL) | BIT(OPENMETRICS) | BIT(OUTPUT),
     "print one look at store and journal for Prometheus",
     "Looks as `conversation health` does, without a provider, and prints all metrics in "
     "Prometheus' text format: what each part of the health says, and with --journal FILE how much "
     "waits there, since when, and how many dead letters there are; what waits stays there. "
     "Counters begin with zero in "
     "each process, so here they count nothing but this look; a program that stays gives its own "
     "by conv_metrics_read.\n"
     "\n"
     "With --output the file appears whole or not at all, as the textfile collector of "
     "node_exporter wants it. A journal that another process has open, or that is not there, is "
     "left out. Exit code 0: it "
     "was looked at, whatever the metrics say. 3: the store can't be opened, and nothing is "
     "printed: let an alert look at node_textfile_mtime_seconds, too.\n"
     "\n"
     "  conversation metrics --output /var/lib/node_exporter/conversation.prom\n",
     cli_metrics},
    {"migrate", "", 0, 0, BIT(JSON), "make the store's schema, or bring it up to date",
     "May be run at any time and by several at once. A new SQLite file gets its schema by "
     "itself; a PostgreSQL database wants this command first.\n",
     cli_migrate},
    {"version", "", 0, 0, BIT(JSON), "show the version", "", cli_version},
    {"help", "[COMMAND]", 0, 1, 0, "show what a command does", "", cli_help},
    {0},
};
