"""The memory product's tools as the official SDK of the Model Context Protocol calls them."""

import os
import ssl
import unittest

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["SERVER_URL"]
KEY = os.environ["KEY"]

TOOLS = ["kapex_ingest", "kapex_query", "kapex_context", "kapex_entities", "kapex_delete"]


def over_http(path="/mcp", key=KEY):
    """The streamable transport, with the key in its header."""
    certificate = os.environ.get("SERVER_CERT")
    verify = ssl.create_default_context(cafile=certificate) if certificate else True
    client = httpx2.AsyncClient(headers={"X-API-Key": key}, verify=verify)
    return streamable_http_client(URL + path, http_client=client)


def over_stdio(user):
    """The program as a server that the client starts itself."""
    return StdioServerParameters(
        command=os.environ["APEX"], args=["mcp", "--url", URL],
        env={"KAPEX_API_KEY": KEY, "KAPEX_USER_ID": user, "APEX_DATA_DIR": os.environ["APEX_DATA_DIR"]},
    )


class Tools(unittest.IsolatedAsyncioTestCase):
    async def use(self, client, given):
        """Lists the tools and calls each of them; `given` says whom they are about."""
        self.assertEqual(client.server_info.name, "apex")
        listed = await client.list_tools()
        self.assertEqual([tool.name for tool in listed.tools], TOOLS)
        self.assertTrue(all(tool.input_schema["type"] == "object" for tool in listed.tools))

        async def call(tool, **arguments):
            answer = await client.call_tool(tool, {**given, **arguments})
            self.assertFalse(answer.is_error, answer)
            return answer.structured_content

        kept = await call("kapex_ingest", content="My dog is called Biscuit.")
        found = await call("kapex_query", current_input="What is my dog called?")
        self.assertEqual(found["memories"][0]["node_id"], kept["node_id"])
        whole = await call("kapex_context", max_tokens=500)
        self.assertIn("My dog is called Biscuit.", whole["context_block"])
        named = await call("kapex_entities")
        self.assertEqual([own["name"] for own in named["entities"]], ["Biscuit"])
        self.assertEqual((await call("kapex_delete"))["nodes_deleted"], 1)
        found = await call("kapex_query", current_input="What is my dog called?")
        self.assertEqual(found["memories"], [])
        refused = await client.call_tool("kapex_ingest", given)
        self.assertTrue(refused.is_error)
        self.assertEqual(refused.structured_content["error"]["code"], "BAD_REQUEST")

    async def test_over_http(self):
        for path in ["/mcp", "/mcp/http"]:
            async with Client(over_http(path)) as client:
                await self.use(client, {"user_id": "over-http"})

    async def test_over_stdio(self):
        if URL.startswith("https:"):
            self.skipTest("clients reach a server over TLS themselves")
        async with Client(over_stdio("over-stdio")) as client:
            await self.use(client, {})

    async def test_a_key_nobody_knows(self):
        with self.assertRaises(Exception):
            async with Client(over_http(key="nobodys")) as client:
                await client.list_tools()


if __name__ == "__main__":
    unittest.main()
