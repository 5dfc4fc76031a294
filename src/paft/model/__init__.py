"""Models, tokenizers, chat templates: from the Hub, a folder, a GGUF file or built in; and servers."""
