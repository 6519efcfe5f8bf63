# frozen_string_literal: true

# The same rows on every machine: one seeded generator, drawn from in a fixed order, and no clock.

AUTHORS = 60
BOOKS = 600
CUSTOMERS = 200
REVIEWS = 2_400
ORDERS = 1_000

WORDS = %w[
  amber bridge candle distant ember falling garden harbour island journey kindred lantern meadow
  northern orchard paper quiet river silver thunder umbrella velvet winter yellow zephyr
].freeze
NAMES = %w[Ada Bela Cleo Dora Emil Finn Gita Hugo Ines Jona Kira Lena Miro Nora Otto Pia].freeze
SURNAMES = %w[Abel Brandt Costa Duval Ekman Flores Greco Hansen Ito Jansen Kovac Lima Meyer].freeze
COUNTRIES = %w[Austria Brazil Denmark France Greece Italy Japan Kenya Norway Poland].freeze
CITIES = %w[Aarhus Bergen Cadiz Delft Essen Faro Ghent Halle Izmir Jena].freeze

random = Random.new(42)
sample = ->(list) { list[random.rand(list.size)] }
sentence = ->(words) { "#{Array.new(words) { sample.(WORDS) }.join(" ").capitalize}." }
text = ->(sentences) { Array.new(sentences) { sentence.(6 + random.rand(8)) }.join(" ") }
start = Time.utc(2024, 1, 1)
insert = lambda do |model, rows|
  # SQLite limits how many values one statement may have.
  rows.each_slice(100) do |slice|
    model.insert_all!(slice.map { |row| { created_at: start, updated_at: start, **row } })
  end
end

ActiveRecord::Base.transaction do
  insert.(Author, Array.new(AUTHORS) do |index|
    { id: index + 1, name: "#{sample.(NAMES)} #{sample.(SURNAMES)}", country: sample.(COUNTRIES),
      biography: text.(4) }
  end)

  reviews = Array.new(REVIEWS) do |index|
    { id: index + 1, book_id: 1 + random.rand(BOOKS), customer_id: 1 + random.rand(CUSTOMERS),
      rating: 1 + random.rand(5), body: text.(2) }
  end
  reviews_of = reviews.map { |row| row[:book_id] }.tally

  books = Array.new(BOOKS) do |index|
    { id: index + 1, author_id: 1 + random.rand(AUTHORS),
      title: Array.new(2 + random.rand(4)) { sample.(WORDS).capitalize }.join(" "),
      isbn: format("978%010d", index + 1), genre: sample.(Book::GENRES), description: text.(5),
      price_cents: 500 + random.rand(4_500), stock: random.rand(50),
      reviews_count: reviews_of.fetch(index + 1, 0),
      published_on: Date.new(1950, 1, 1) + random.rand(26_000) }
  end
  insert.(Book, books)

  insert.(Customer, Array.new(CUSTOMERS) do |index|
    { id: index + 1, name: "#{sample.(NAMES)} #{sample.(SURNAMES)}",
      email: "customer#{index + 1}@bookshop.example", city: sample.(CITIES) }
  end)
  insert.(Review, reviews)

  line_items = []
  orders = Array.new(ORDERS) do |index|
    items = Array.new(1 + random.rand(5)) do
      book = sample.(books)
      { order_id: index + 1, book_id: book[:id], quantity: 1 + random.rand(3),
        unit_price_cents: book[:price_cents] }
    end
    line_items.concat(items)
    { id: index + 1, customer_id: 1 + random.rand(CUSTOMERS), number: format("B%08d", index + 1),
      status: sample.(Order::STATUSES), placed_at: start + random.rand(31_536_000),
      total_cents: items.sum { |item| item[:quantity] * item[:unit_price_cents] } }
  end
  insert.(Order, orders)
  insert.(LineItem, line_items)
end
