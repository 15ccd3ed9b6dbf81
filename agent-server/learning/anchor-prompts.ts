/**
 * Prompts for anchors. They are about anything but the work that is learnt, so that holding the base's
 * answers to them never holds back a correction; they spread over what a small model is asked.
 */
export const ANCHOR_PROMPTS: readonly string[] = [
  'What is the capital of Portugal, and what is it known for?',
  'Why is the sky blue? Answer in two sentences.',
  'How are you today?',
  'What is 17 times 6? Show the steps.',
  'A train leaves at 9:40 and arrives at 12:15. How long does the journey take?',
  'Write a Python function that returns the largest number in a list.',
  'What is the difference between a stack and a queue?',
  'Give me three ideas for a simple vegetarian dinner.',
  'Translate to French: "The library opens at nine in the morning."',
  'Summarise the water cycle for a ten-year-old.',
  'Name four planets of the solar system, from small to large.',
  'Write a short poem about rain in autumn.',
  'Tell me about the ocean.',
  'What does a doctor do?',
  'How does rain form?',
  'Suggest a book to read on a long flight.',
  'How do I boil an egg?',
  'Explain what recursion is, simply.',
  'Name three fruits that grow in cold places.',
  'Is it better to run in the morning or in the evening?',
  'What is a democracy?',
  'Who painted the Mona Lisa, and when?',
  'Give a tip for better sleep.',
  'Describe a cat in two sentences.',
];
