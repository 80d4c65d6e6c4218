// The parameters of sql/exchange.sql, made into what a driver takes.

const PARAMETER = /(?<!:):([a-z_]+)/g;
const withoutComments = (sql) => sql.replace(/^--.*\n/gm, "").trim();

// $1, $2 …, each name once, and the names in that order.
export function numbered(sql) {
    const names = [];
    const text = withoutComments(sql).replace(PARAMETER, (_, name) => {
        if (!names.includes(name)) names.push(name);
        return `$${names.indexOf(name) + 1}`;
    });
    return { sql: text, names };
}

// An expression for each name.
export function replaced(sql, expressions) {
    return withoutComments(sql).replace(PARAMETER, (_, name) => {
        if (!(name in expressions)) throw new Error(`no expression for :${name}`);
        return expressions[name];
    });
}
