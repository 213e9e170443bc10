#!/bin/sh
# An agent without a library: asks the model that OPENAI_BASE_URL leads to, and prints the answer.
body=$(jq -n --arg question "$1" '{model: "gpt-5", messages: [{role: "user", content: $question}]}')
curl -sS "${OPENAI_BASE_URL:-https://api.openai.com/v1}/chat/completions" -H "authorization: Bearer $OPENAI_API_KEY" \
  -H 'content-type: application/json' -d "$body" | jq -r '.choices[0].message.content'
