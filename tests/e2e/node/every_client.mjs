// Every client of Node and operation, by name (`NAME[,NAME…] [QUESTION]`): plain, streamed; prints what it got.

// Each loads what it needs alone: a start of all of them takes a second.
const OpenAI = async () => new (await import("openai")).default();
const Anthropic = async () => new (await import("@anthropic-ai/sdk")).default();
const Gemini = async () => new (await import("@google/genai")).GoogleGenAI({ apiKey: "none" });

const QUESTION = process.argv[3] ?? "Say something about rivers.";
const messages = [{ role: "user", content: QUESTION }];

async function together(stream, textOf) {
  let text = "";
  for await (const piece of stream) text += textOf(piece) ?? "";
  return text;
}

const CLIENTS = {
  async openai_plain() {
    const answer = await (await OpenAI()).chat.completions.create({ model: "gpt-5", messages });
    return answer.choices[0].message.content;
  },
  async openai_stream() {
    const stream = await (await OpenAI()).chat.completions.create({ model: "gpt-5", messages, stream: true });
    return together(stream, (chunk) => chunk.choices[0]?.delta.content);
  },
  async openai_responses() {
    return (await (await OpenAI()).responses.create({ model: "gpt-5", input: QUESTION })).output_text;
  },
  async anthropic_plain() {
    const answer = await (await Anthropic()).messages.create({ model: "claude-opus-4-1", max_tokens: 99, messages });
    return answer.content[0].text;
  },
  async anthropic_stream() {
    const stream = (await Anthropic()).messages.stream({ model: "claude-opus-4-1", max_tokens: 99, messages });
    return (await stream.finalMessage()).content[0].text;
  },
  async gemini_plain() {
    const client = await Gemini();
    return (await client.models.generateContent({ model: "gemini-2.5-flash", contents: QUESTION })).text;
  },
  async gemini_stream() {
    const client = await Gemini();
    const stream = await client.models.generateContentStream({ model: "gemini-2.5-flash", contents: QUESTION });
    return together(stream, (chunk) => chunk.text);
  },
  async ai_openai() {
    const { generateText } = await import("ai");
    const { openai } = await import("@ai-sdk/openai");
    return (await generateText({ model: openai("gpt-5"), messages })).text;
  },
  async ai_anthropic_stream() {
    const { streamText } = await import("ai");
    const { anthropic } = await import("@ai-sdk/anthropic");
    return together(streamText({ model: anthropic("claude-opus-4-1"), messages }).textStream, (text) => text);
  },
  async gathered() {
    const client = await OpenAI();
    const ask = async (number) => {
      const content = `${QUESTION} ${number}`;
      const answer = await client.chat.completions.create({ model: "gpt-5", messages: [{ role: "user", content }] });
      return answer.choices[0].message.content;
    };
    return (await Promise.all([1, 2, 3, 4, 5].map(ask))).join("\n");
  },
};

for (const client of process.argv[2].split(",")) {
  const text = await CLIENTS[client]();
  if (!text) throw new Error("no text came");
  console.log(text);
}
