# frozen_string_literal: true

ActiveRecord::Schema.define do
  create_table :authors do |t|
    t.string :name, null: false
    t.string :country, null: false
    t.text :biography, null: false
    t.timestamps
  end

  create_table :books do |t|
    t.references :author, null: false, foreign_key: true
    t.string :title, null: false
    t.string :isbn, null: false, index: { unique: true }
    t.string :genre, null: false, index: true
    t.text :description, null: false
    t.integer :price_cents, null: false
    t.integer :stock, null: false, default: 0
    t.integer :reviews_count, null: false, default: 0
    t.date :published_on, null: false
    t.timestamps
  end

  create_table :customers do |t|
    t.string :name, null: false
    t.string :email, null: false, index: { unique: true }
    t.string :city, null: false
    t.timestamps
  end

  create_table :reviews do |t|
    t.references :book, null: false, foreign_key: true
    t.references :customer, null: false, foreign_key: true
    t.integer :rating, null: false
    t.text :body, null: false
    t.timestamps
  end

  create_table :orders do |t|
    t.references :customer, null: false, foreign_key: true
    t.string :number, null: false, index: { unique: true }
    t.string :status, null: false, index: true
    t.integer :total_cents, null: false, default: 0
    t.datetime :placed_at, null: false
    t.timestamps
  end

  create_table :line_items do |t|
    t.references :order, null: false, foreign_key: true
    t.references :book, null: false, foreign_key: true
    t.integer :quantity, null: false
    t.integer :unit_price_cents, null: false
    t.timestamps
  end
end
