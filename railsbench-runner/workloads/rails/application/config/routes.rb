# frozen_string_literal: true

Rails.application.routes.draw do
  root "books#index"

  resources :books, only: %i[index show] do
    resources :reviews, only: :index
  end
  resources :orders, only: :show

  namespace :api do
    resources :books, only: %i[index show]
    resources :orders, only: %i[create update destroy]
  end

  get "reports/sales", to: "reports#sales"
  get "about", to: "about#show"
end
