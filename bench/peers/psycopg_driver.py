"""psycopg 3, asynchronous and with prepared statements, with the statement that saves what the library
saves."""
import asyncio
from decimal import Decimal

from psycopg_pool import AsyncConnectionPool

from common import options, run, statement


async def prepare(connection):
    connection.prepare_threshold = 0
    await connection.set_autocommit(True)


async def main():
    settings = options()
    sql = statement(lambda name: f"%({name})s")
    pool = AsyncConnectionPool(settings.store, min_size=settings.pool, max_size=settings.pool,
                               configure=prepare, open=False)
    await pool.open(wait=True)

    async def save(values):
        mantissa, places = values["cost_usd"]
        values["cost_usd"] = Decimal(mantissa).scaleb(-places)
        async with pool.connection() as connection:
            await connection.execute(sql, values)

    await run(settings, save)
    await pool.close()


asyncio.run(main())
