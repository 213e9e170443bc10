"""Four processes that each ask once, forked and spawned."""

import multiprocessing
import sys

import openai


def ask(number):
    answer = openai.OpenAI().chat.completions.create(
        model="gpt-5", messages=[{"role": "user", "content": f"Say the number {number}."}]
    )
    return answer.choices[0].message.content


if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(4) as pool:
        for line in pool.map(ask, range(4)):
            print(line)
