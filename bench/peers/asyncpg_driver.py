"""asyncpg with the statement that saves what the library saves."""
import asyncio
from decimal import Decimal

import asyncpg

from common import options, run, statement


async def main():
    settings = options()
    names = []

    def parameter(name):
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    sql = statement(parameter)
    pool = await asyncpg.create_pool(settings.store, min_size=settings.pool, max_size=settings.pool)

    async def save(values):
        mantissa, places = values["cost_usd"]
        values["cost_usd"] = Decimal(mantissa).scaleb(-places)
        await pool.fetchval(sql, *(values[name] for name in names))

    await run(settings, save)
    await pool.close()


asyncio.run(main())
