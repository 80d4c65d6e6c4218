// The databases on the disposable server: one for each competitor, emptied after each run.
import { run, query } from "./process.mjs";

export class Databases {
    constructor(store, programs) {
        this.server = store;
        this.folder = new URL(store.replace("@/", "@placeholder/")).searchParams.get("host");
        this.programs = programs;
    }

    url(name) {
        const url = new URL(this.server.replace("@/", "@placeholder/"));
        url.pathname = `/${name}`;
        return url.href.replace("@placeholder/", "@/");
    }

    async create(name) {
        await query(this.server, `DROP DATABASE IF EXISTS ${name};`);
        await query(this.server, `CREATE DATABASE ${name};`);
        return this.url(name);
    }

    async drop(name) {
        await query(this.server, `DROP DATABASE IF EXISTS ${name};`);
    }

    // With the library's schema, as its own command makes it.
    async createWithSchema(name) {
        const url = await this.create(name);
        await run(`${this.programs}/conversation`, ["migrate", "--store", url]);
        return url;
    }

    // Every table is emptied but those that hold the schema's version or the input.
    async clear(name) {
        const url = this.url(name);
        const tables = await query(url, `SELECT string_agg(quote_ident(relname), ', ')
            FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname NOT IN ('conversation_schema', 'checkpoint_migrations')
            AND relname NOT LIKE 'bench%';`);
        if (tables !== "") await query(url, `TRUNCATE ${tables};`);
    }

    // What was written before is brought to the disk, so that whoever comes next does not pay for it.
    async settle() {
        await query(this.server, "CHECKPOINT;");
    }

    async empty(name) {
        await this.clear(name);
        await this.settle();
    }
}
