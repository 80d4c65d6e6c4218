// Mastra's memory in PostgreSQL: both messages in one transaction, with the thread's time of change.
import { randomUUID } from "node:crypto";
import { PostgresStore } from "@mastra/pg";
import { options, run } from "./common.mjs";

const settings = options();
const store = new PostgresStore({ id: "bench", connectionString: settings.store, max: settings.pool });
await store.init();
const memory = await store.getStore("memory");
const message = (role, text, session, user) => ({
    id: randomUUID(),
    threadId: session,
    resourceId: user,
    role,
    type: "v2",
    createdAt: new Date(),
    content: { format: 2, parts: [{ type: "text", text }], content: text },
});
await run(settings, async ({ first, session, user, question, answer }) => {
    if (first) {
        const now = new Date();
        await memory.saveThread({
            thread: { id: session, resourceId: user, title: "", createdAt: now, updatedAt: now },
        });
    }
    await memory.saveMessages({
        messages: [message("user", question, session, user), message("assistant", answer, session, user)],
    });
});
await store.close();
